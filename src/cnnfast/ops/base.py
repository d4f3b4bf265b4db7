"""What an op is: attributes, a shape rule, a NumPy reference and a cost.

An op is a frozen dataclass; its fields are its attributes. Its inputs are values of a graph: first the data inputs
(activations, with the images along axis 0), then the parameters (weights, the same for every image). Shapes are those
of *one* image, without N: ``(C, H, W)`` or ``(F,)``; arrays given to a reference carry N first.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.runtime.arguments import is_whole, quoted
from cnnfast.runtime.registry import Registry

Shape = tuple[int, ...]
Array = np.ndarray[Any, Any]

OPS: Registry[str, type[Op]] = Registry("ops")
"""Every op on floats by its name, filled by `register`; tests, benchmarks and readers iterate over it."""

QUANTIZED_OPS: Registry[str, type[Op]] = Registry("quantized ops")
"""Every op on integers by its name: those of `cnnfast.ops.quantized`."""


@frozen
class Cost:
    """What one image costs.

    Attributes
    ----------
    macs : int
        Multiply-adds.
    flops : int
        Floating-point operations; a multiply-add counts as two, a transcendental function as one.
    """

    macs: int = 0
    flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.flops + other.flops)


class Op:
    """Base of all ops: the names of its inputs, and how attributes become JSON and come back."""

    name: ClassVar[str]
    data: ClassVar[tuple[str, ...]] = ("x",)
    """Names of the data inputs; a single name that starts with ``*`` stands for one or more."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters; a trailing ``?`` marks one that may be left out (from the end)."""
    selects: ClassVar[bool] = False
    """Whether each element of the result is one of the inputs' (or an attribute), chosen by place or by order.

    Then the op means the same for integers and for the real numbers that they stand for.
    """
    keeps_dtype: ClassVar[bool] = False
    """Whether the data inputs may all be bytes, too, of one scale and zero point, and the result with them."""

    @property
    def is_quantized(self) -> bool:
        """Whether the op reads or makes integers."""
        return False

    def dtype(self, *inputs: str) -> str:
        """Return the name of the dtype of the result, or raise `GraphError` if the op cannot read an input."""
        data = {dtype for index, dtype in enumerate(inputs) if self.is_data_input(index)}
        if self.keeps_dtype and data == {"uint8"}:
            return "uint8"
        for wrong in sorted(data - {"float32"}):
            raise GraphError(f"{self.name} reads float32, but gets {wrong}; put a dequantize in between")
        return "float32"

    def shape(self, *inputs: Shape) -> Shape:
        """Return the output shape of one image, or raise `GraphError`."""
        raise NotImplementedError

    def reference(self, *inputs: Array) -> Array:
        """Compute the output in the dtype of the inputs: slow, plain, and the truth for every test."""
        raise NotImplementedError

    def cost(self, *inputs: Shape) -> Cost:
        """Return what one image costs; by default one operation per output element."""
        return Cost(flops=math.prod(self.shape(*inputs)))

    def attributes(self) -> dict[str, Any]:
        """Return the attributes as plain Python values."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    def describe(self) -> str:
        """Return the attributes that differ from their defaults, as ``name=value`` pairs."""
        changed = []
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if f.default is dataclasses.MISSING or value != type(self).__dict__.get(f.name, f.default):
                changed.append(f"{f.name}={value}")
        return " ".join(changed)

    def check_arity(self, count: int) -> None:
        """Raise `GraphError` unless an op of this kind can have ``count`` inputs."""
        if self.data[0].startswith("*"):
            low, high = 1, None
        else:
            required = [p for p in self.parameters if not p.endswith("?")]
            low, high = len(self.data) + len(required), len(self.data) + len(self.parameters)
        if count < low or (high is not None and count > high):
            names = ", ".join(self.data + self.parameters)
            raise GraphError(f"{self.name} takes the inputs ({names}) but has {count}")

    def is_data_input(self, index: int) -> bool:
        """Return whether input ``index`` is an activation (True) or a parameter (False)."""
        return self.data[0].startswith("*") or index < len(self.data)


class Elementwise(Op):
    """Base of the functions of one element: they keep the shape."""

    flops: ClassVar[int] = 1

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=self.flops * math.prod(inputs[0]))


OpType = TypeVar("OpType", bound=type[Op])


def register(cls: OpType) -> OpType:
    """Enter an op class into `OPS` under its name; from then on its attributes have the types of its fields."""
    return register_in(OPS, cls)


def register_in(ops: Registry[str, type[Op]], cls: OpType) -> OpType:
    """Enter an op class into a list of ops; see `register`."""
    made, fields = cls.__init__, {f.name: str(f.type) for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    positional = [f.name for f in dataclasses.fields(cls) if not f.kw_only]  # type: ignore[arg-type]

    @functools.wraps(made)
    def checked(self: Op, *values: object, **named: object) -> None:
        given = [*zip(positional, values, strict=False), *named.items()]
        for name, value in given:
            if name in fields and not _is_of(fields[name], value):
                raise GraphError(f"{name} of {cls.name} must be {_KINDS[fields[name]]}, but is {quoted(value)}")
        made(self, *values, **named)

    cls.__init__ = checked  # type: ignore[method-assign,assignment]
    return ops.add(cls.name, cls)


_KINDS = {
    "bool": "True or False",
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "tuple[int, ...]": "integers",
    "tuple[int, int]": "one or two integers",
    "tuple[int, int, int, int]": "one, two or four integers",
}
"""What a field of an op may be annotated with, and what errors call it."""


def _is_of(kind: str, value: object) -> bool:
    """Return whether a value has the type of a field; the op itself checks ranges."""
    if kind == "bool":
        return isinstance(value, bool | np.bool_)
    if kind == "float":
        return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.bool_)
    if kind == "str":
        return isinstance(value, str)
    if kind.startswith("tuple") and isinstance(value, list | tuple):
        return all(is_whole(v) for v in value)
    return kind != "tuple[int, ...]" and is_whole(value)


def decode_op(name: object, attributes: object) -> Op:
    """Build an op from its name and its attributes as a file has them; everything is checked.

    Raises
    ------
    GraphError
        For an unknown op, an unknown attribute, a value of the wrong type, or one out of range.
    """
    known = {**OPS, **QUANTIZED_OPS}
    if not isinstance(name, str) or name not in known:
        raise GraphError(f"unknown op {name!r}; known ops: {', '.join(sorted(known))}")
    if not isinstance(attributes, dict):
        raise GraphError(f"attributes of {name} must be a mapping, not {type(attributes).__name__}")
    cls = known[name]
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(attributes) - set(fields))
    if unknown:
        raise GraphError(f"{name} has no attribute {unknown[0]!r}; it has: {', '.join(fields) or 'none'}")
    values = {key: _decode_value(name, key, value, str(fields[key].type)) for key, value in attributes.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise GraphError(f"{name}: {error}") from None


def _decode_value(op: str, key: str, value: object, kind: str) -> object:
    """Check one attribute against the annotation of its field: bool, int, float, str or a tuple of int."""
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        return float(value)
    if kind == "str" and isinstance(value, str):
        return value
    if kind.startswith("tuple[int") and isinstance(value, list | tuple) and all(type(v) is int for v in value):
        return tuple(value)
    raise GraphError(f"attribute {key} of {op} must be {kind}, but is {value!r}")


def _is_finite(value: int | float) -> bool:
    """Return whether a number is finite as a float: `math.isfinite` raises OverflowError for a huge integer."""
    return abs(value) <= sys.float_info.max


LIMIT = 1 << 20
"""The largest kernel size, stride, padding or dilation; it keeps every product of sizes far below 2**63."""


MAX_WORK = 1 << 32
"""Elements that the windows of one op may read for an image: as much as ResNet-50 multiplies. A window is a number in a
file, so without a limit a few hundred bytes could keep a CPU busy for hours."""


def check_work(op: str, reads: int, shape: Shape) -> None:
    """Raise `GraphError` if the windows of an op read more than `MAX_WORK` elements of an image of this shape."""
    if reads > MAX_WORK:
        raise GraphError(
            f"the windows of {op} would read {reads} elements of an image of shape {shape}; at most {MAX_WORK} are "
            "allowed: use a smaller window, less padding or a larger stride"
        )


def pair(op: str, name: str, value: int | Sequence[int], least: int) -> tuple[int, int]:
    """Return ``value`` as (vertical, horizontal), each at least ``least``."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2 or not all(least <= v <= LIMIT for v in values):
        raise GraphError(f"{name} of {op} must be one or two integers from {least} to {LIMIT}, but is {value!r}")
    return values[0], values[1]


def sides(op: str, value: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Return padding as (top, left, bottom, right), the order of ONNX, from one, two or four integers."""
    values = (value,) * 4 if isinstance(value, int) else tuple(value)
    if len(values) == 2:
        values = values + values
    if len(values) != 4 or not all(0 <= v <= LIMIT for v in values):
        raise GraphError(
            f"padding of {op} must be one, two (vertical, horizontal) or four (top, left, bottom, right) "
            f"integers from 0 to {LIMIT}, but is {value!r}"
        )
    return values[0], values[1], values[2], values[3]


def set_field(op: Op, name: str, value: object) -> None:
    """Set a field of a frozen op inside its ``__post_init__``."""
    object.__setattr__(op, name, value)


def need_chw(op: str, shape: Shape) -> tuple[int, int, int]:
    """Return (C, H, W), or raise `GraphError` for another rank."""
    if len(shape) != 3:
        raise GraphError(f"{op} needs an input of shape (C, H, W), but got {shape}")
    return shape[0], shape[1], shape[2]
