"""Files of ONNX that a stranger might write: whole messages of a few operators with random attributes and constants.

Damage to bytes rarely gets past the first check; here the message is whole, and what is wrong is what the file states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from cnnfast.formats.onnx.fold import FOLDS
from cnnfast.formats.onnx.operators import OPERATORS
from cnnfast.formats.onnx.translate import OLDEST
from cnnfast.ops import Array

Rng = np.random.Generator

ODD = (0, 1, 2, 3, -1, -2, 7, 127, 255, 1 << 20, (1 << 31) - 1, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63))
"""Numbers that are worth trying as a size, an axis, a stride or a place."""

REALS = (0.0, 1.0, -1.0, 0.5, 2.0, 1e-30, 1e-6, 1e30, float("inf"), float("nan"))

WORDS = (
    *("", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "constant", "edge", "reflect", "wrap", "nearest", "linear"),
    *(
        "cubic",
        "half_pixel",
        "align_corners",
        "asymmetric",
        "tf_crop_and_resize",
        "DCR",
        "CRD",
        "floor",
        "ceil",
        "tanh",
    ),
    *("round_prefer_floor", "round_prefer_ceil", "none", "not_larger", "not_smaller", "stretch", "nonsense"),
)

DTYPES = (np.float32, np.float32, np.float32, np.int64, np.int64, np.uint8, np.int8, np.float16, np.int32, np.bool_)

KINDS = sorted({*OPERATORS, *FOLDS, "Constant", "If", "Loop", "NotAnOperator"})

WINDOWS = ("kernel_shape", "strides", "dilations", "pads", "group", "blocksize", "size", "num_groups", "axes", "axis")
"""Attributes that are small numbers where a file is sensible."""


def random_file(rng: Rng, odd: float = 0.1) -> bytes:
    """Return a file of one to five operators; ``odd`` is how much of it is nonsense."""
    return bytes(_Writer(rng, odd).model().SerializeToString())


class _Writer:
    def __init__(self, rng: Rng, odd: float) -> None:
        self._rng = rng
        self._odd = odd
        self._opset = int(rng.integers(OLDEST, defs.onnx_opset_version() + 1))
        self._constants: list[TensorProto] = []
        self._values = ["x"]

    def model(self) -> ModelProto:
        """Return a network of a few operators, the input among what they read."""
        kind = TensorProto.UINT8 if self._rng.random() < 0.2 else TensorProto.FLOAT
        shape: list[Any] = ["N", *self._shape()]
        if self._is_odd():
            shape = [self._one((*ODD, "H", None)) for _ in range(self._small(6))]
        nodes = [self._node(number) for number in range(1 + self._small(5))]
        graph = helper.make_graph(
            nodes,
            "random",
            [
                helper.make_tensor_value_info(
                    "x", kind, [s if isinstance(s, str | None) else s % (1 << 62) for s in shape]
                )
            ],
            [helper.make_tensor_value_info(self._values[-1], TensorProto.FLOAT, None)],
            self._constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=8)

    def _node(self, number: int) -> NodeProto:
        kind = self._one(KINDS)
        low, high = self._arity(kind)
        count = int(self._rng.integers(low, high + 1)) if high >= low else low
        inputs = [self._value() if index == 0 and not self._is_odd() else self._operand() for index in range(count)]
        outputs = [
            f"y{number}.{i}" for i in range(1 + (self._small(3) if kind in ("Split", "LayerNormalization") else 0))
        ]
        node = helper.make_node(kind, inputs, outputs, name=f"n{number}")
        node.attribute.extend(self._attributes(kind))
        self._values.append(outputs[0])
        return node

    def _arity(self, kind: str) -> tuple[int, int]:
        try:
            schema = defs.get_schema(kind, self._opset, "")
        except defs.SchemaError:
            return 1, 2
        return schema.min_input, min(schema.max_input, schema.min_input + 3, 9)

    def _attributes(self, kind: str) -> list[AttributeProto]:
        try:
            known = defs.get_schema(kind, self._opset, "").attributes
        except defs.SchemaError:
            known = {}
        stated = [name for name, a in known.items() if a.required or self._rng.random() < 0.4]
        if self._is_odd():
            stated = [self._one(("axis", "axes", "to", "value", "strange", *stated)) for _ in range(self._small(3))]
        return [
            self._attribute(name, known[name].type.value if name in known else None) for name in dict.fromkeys(stated)
        ]

    def _attribute(self, name: str, kind: int | None) -> AttributeProto:
        """Return an attribute of its own type, or of any."""
        types = (
            AttributeProto.INT,
            AttributeProto.INTS,
            AttributeProto.FLOAT,
            AttributeProto.STRING,
            AttributeProto.TENSOR,
        )
        kind = self._one(types) if kind is None or self._is_odd() else kind
        attribute = AttributeProto(name=name, type=kind)
        if kind == AttributeProto.INT:
            attribute.i = self._number(name)
        elif kind == AttributeProto.INTS:
            attribute.ints.extend(self._number(name) for _ in range(self._one((1, 2, 2, 2, 4, 4, self._small(8)))))
        elif kind == AttributeProto.FLOAT:
            attribute.f = self._one(REALS)
        elif kind == AttributeProto.FLOATS:
            attribute.floats.extend(self._one(REALS) for _ in range(self._small(5)))
        elif kind == AttributeProto.STRING:
            attribute.s = b"\xff\xfe" if self._is_odd() else self._one(WORDS).encode()
        elif kind == AttributeProto.TENSOR:
            attribute.t.CopyFrom(self._tensor("inner"))
        elif kind == AttributeProto.GRAPH:
            node = helper.make_node(self._one(KINDS), [self._value()], ["inside"])
            attribute.g.CopyFrom(helper.make_graph([node], "g", [], [helper.make_tensor_value_info("inside", 1, None)]))
        return attribute

    def _number(self, name: str) -> int:
        if self._is_odd():
            return int(self._one(ODD))
        return int(self._rng.integers(1 if name in WINDOWS[:3] else 0, 4))

    def _operand(self) -> str:
        """Return a value computed before, nothing, or a constant."""
        chance = self._rng.random()
        if chance < 0.15:
            return self._value()
        if chance < 0.18:
            return ""
        name = f"c{len(self._constants)}"
        self._constants.append(self._tensor(name))
        return name

    def _value(self) -> str:
        return self._one(self._values) if self._is_odd() else self._values[-1]

    def _tensor(self, name: str) -> TensorProto:
        tensor: TensorProto = numpy_helper.from_array(self._array(), name)
        if self._is_odd():
            tensor.dims[:] = [self._one(ODD) for _ in range(self._small(4))]
        if self._is_odd():
            tensor.data_type = self._small(30)
        return tensor

    def _array(self) -> Array:
        dtype = self._one(DTYPES)
        if np.dtype(dtype).kind in "iub" or self._is_odd():
            numbers = [
                self._one(ODD) if self._is_odd() else int(self._rng.integers(-1, 5)) for _ in range(self._small(5))
            ]
            wide = np.array(numbers, np.int64)
            with np.errstate(over="ignore"):
                wide = wide.astype(dtype)
            return wide if self._rng.random() < 0.8 or not len(wide) else wide[0]
        values = self._rng.standard_normal(self._one((self._shape(), self._shape(4), [3], [4], [])))
        if self._is_odd() and values.size:
            values = np.full(values.shape, self._one(REALS))
        with np.errstate(over="ignore"):
            return values.astype(dtype)

    def _shape(self, rank: int | None = None) -> list[int]:
        """Return the shape of an image or of a constant: mostly (3 or 4, small, small)."""
        count = self._one((1, 2, 3, 3, 3, 3, 4)) if rank is None else rank
        return [self._one((1, 2, 3, 4, 4, 5)) for _ in range(count)]

    def _small(self, below: int) -> int:
        return int(self._rng.integers(0, below))

    def _is_odd(self) -> bool:
        return bool(self._rng.random() < self._odd)

    def _one(self, values: Sequence[Any]) -> Any:
        return values[int(self._rng.integers(0, len(values)))]
