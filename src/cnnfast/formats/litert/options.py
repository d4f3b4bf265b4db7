"""The options of an operator, and which of them a reader asked for: what nothing asked for must have its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError

TABLES = {
    "Conv2DOptions": ("CONV_2D",),
    "DepthwiseConv2DOptions": ("DEPTHWISE_CONV_2D",),
    "Pool2DOptions": ("AVERAGE_POOL_2D", "MAX_POOL_2D"),
    "FullyConnectedOptions": ("FULLY_CONNECTED",),
    "BatchMatMulOptions": ("BATCH_MATMUL",),
    "AddOptions": ("ADD",),
    "SubOptions": ("SUB",),
    "MulOptions": ("MUL",),
    "DivOptions": ("DIV",),
    "ConcatenationOptions": ("CONCATENATION",),
    "SoftmaxOptions": ("SOFTMAX",),
    "LeakyReluOptions": ("LEAKY_RELU",),
    "GeluOptions": ("GELU",),
    "CastOptions": ("CAST",),
    "ReshapeOptions": ("RESHAPE",),
    "SqueezeOptions": ("SQUEEZE",),
    "SplitOptions": ("SPLIT",),
    "StridedSliceOptions": ("STRIDED_SLICE",),
    "MirrorPadOptions": ("MIRROR_PAD",),
    "ReducerOptions": ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"),
    "ResizeBilinearOptions": ("RESIZE_BILINEAR",),
    "ResizeNearestNeighborOptions": ("RESIZE_NEAREST_NEIGHBOR",),
}
"""The operators whose options hold something, by the name of the table in the schema."""

TABLE_OF = {kind: table for table, kinds in TABLES.items() for kind in kinds}

MOST = 64
"""The longest list in a table of options."""

Field = Any
"""A number, or a tuple of numbers."""


class OperatorOptions:
    """The fields of one table.

    Parameters
    ----------
    table : str
        Its name in the schema, "" for none.
    fields, defaults : mapping of str to number or tuple
        What the file states, and what each field is where it says nothing.
    unknown : int
        How many fields the file states that this version of the schema does not know.

    Examples
    --------
    >>> options = OperatorOptions("SoftmaxOptions", {"Beta": 0.5}, {"Beta": 0.0})
    >>> options.check_all_used()
    Traceback (most recent call last):
    cnnfast.errors.UnsupportedError: its option Beta of SoftmaxOptions is 0.5; supported: 0.0
    >>> options["Beta"]
    0.5
    >>> options.check_all_used()
    """

    def __init__(
        self, table: str, fields: Mapping[str, Field], defaults: Mapping[str, Field], unknown: int = 0
    ) -> None:
        self.table = table
        self._fields = fields
        self._defaults = defaults
        self._unknown = unknown
        self._used: set[str] = set()

    def __getitem__(self, field: str) -> Field:
        """Return a field, which counts as used from then on."""
        if field not in self._fields:
            raise ModelFileError(f"its options are {self.table or 'left out'}, without the field {field}")
        self._used.add(field)
        return self._fields[field]

    def has(self, field: str) -> bool:
        """Return whether its table has a field."""
        return field in self._fields

    def without_effect(self, *fields: str) -> None:
        """Count fields as used; the caller says why they change nothing."""
        self._used.update(fields)

    def check_all_used(self) -> None:
        """Raise `UnsupportedError` for a field that nothing asked for and that differs from its default."""
        if self._unknown:
            raise UnsupportedError(
                f"its {self.table} have {self._unknown} fields that are newer than the package tflite; "
                "update it: pip install -U tflite"
            )
        for field, value in self._fields.items():
            if field not in self._used and value != self._defaults[field]:
                raise UnsupportedError(
                    f"its option {field} of {self.table} is {value}; supported: {self._defaults[field]}"
                )


class Tables:
    """Reads tables of options by the compiled schema.

    Parameters
    ----------
    tflite : module
    """

    def __init__(self, tflite: Any) -> None:
        self._tflite = tflite
        self._names = {number: name for name, number in vars(tflite.BuiltinOptions).items() if name[0] != "_"}
        self._known: dict[str, tuple[dict[str, Field], int]] = {}

    def read(self, kind: str, operator: Any) -> OperatorOptions:
        """Return the options of an operator of a kind; where they are left out, all have their defaults."""
        table = operator.BuiltinOptions()
        number = operator.BuiltinOptionsType()
        expected = TABLE_OF.get(kind, "")
        if table is None or number == 0:
            defaults = self._defaults(expected)[0] if expected else {}
            return OperatorOptions(expected, defaults, defaults)
        name = self._names.get(number, f"options of the number {number}")
        if expected and name != expected:
            raise ModelFileError(f"an operator {kind} has the options {name}; it must have {expected}")
        if not hasattr(self._tflite, name):
            return OperatorOptions(name, {}, {}, unknown=1)
        options = getattr(self._tflite, name)()
        options.Init(table.Bytes, table.Pos)
        fields = {field: _field(options, field) for field in fields_of(type(options))}
        defaults, slots = self._defaults(name)
        return OperatorOptions(name, fields, defaults, _strangers(table, slots))

    def _defaults(self, name: str) -> tuple[dict[str, Field], int]:
        """Return the fields of an empty table, and for how many the schema has a place, old ones included."""
        if name not in self._known:
            import flatbuffers

            builder = flatbuffers.Builder(0)
            getattr(self._tflite, f"{name}Start")(builder)
            slots = len(builder.current_vtable)
            builder.Finish(getattr(self._tflite, f"{name}End")(builder))
            empty = getattr(self._tflite, name).GetRootAs(bytes(builder.Output()), 0)
            self._known[name] = {field: _field(empty, field) for field in fields_of(type(empty))}, slots
        return self._known[name]


def fields_of(table: type) -> list[str]:
    """Return the fields of a table of the compiled schema."""
    names = [name for name in vars(table) if name[0].isupper() and name != "Init" and not name.startswith("GetRootAs")]
    extra = ("AsNumpy", "Length", "IsNone", "BufferHasIdentifier")
    return [name for name in names if not name.endswith(extra)]


def _field(table: Any, name: str) -> Field:
    if not hasattr(table, f"{name}Length"):
        return getattr(table, name)()
    length = getattr(table, f"{name}Length")()
    if not 0 <= length <= MOST:
        raise ModelFileError(f"the option {name} has {length} entries; at most {MOST} are allowed")
    return tuple(np.asarray(getattr(table, f"{name}AsNumpy")()).tolist()) if length else ()


def _strangers(table: Any, known: int) -> int:
    """Return how many fields are stated behind those that the schema knows: a list of offsets, 0 for one left out."""
    import flatbuffers.number_types as types

    start = table.Pos - table.Get(types.SOffsetTFlags, table.Pos)
    slots = (table.Get(types.VOffsetTFlags, start) - 4) // 2
    return sum(table.Get(types.VOffsetTFlags, start + 4 + 2 * slot) != 0 for slot in range(known, slots))
