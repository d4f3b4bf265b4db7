"""Files of LiteRT that a stranger might write: whole flatbuffers of a few operators with random options and shapes.

Damage to bytes rarely gets past the first check; here every offset is right, and what is wrong is what the file states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tflite
from formats.litert.crafted import Operator, Tensor, model_bytes
from fuzz.litert_shapes import result_of

from cnnfast.formats.litert import network  # noqa: F401  (it enters the operators)
from cnnfast.formats.litert.operator_call import OPERATORS
from cnnfast.formats.litert.options import TABLE_OF, Tables, fields_of
from cnnfast.ops import Array

Rng = np.random.Generator

ODD = (0, 1, 2, 3, -1, -2, 7, 127, 255, 1 << 20, (1 << 31) - 1, -(1 << 31))
"""Numbers that are worth trying as a size, an axis, a stride or a place."""

REALS = (0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, float("inf"), float("nan"))


def random_file(rng: Rng, odd: float = 0.1) -> bytes:
    """Return a file of one to four operators, each of which reads the one before; ``odd`` is how much is nonsense."""
    return model_bytes(*_Writer(rng, odd).network(int(rng.integers(1, 5))))


class _Writer:
    def __init__(self, rng: Rng, odd: float) -> None:
        self._rng = rng
        self._odd = odd
        self._quantized = self._one(["", "", "", "int8", "uint8", "int16"])
        self._tensors: list[Tensor] = []

    def network(self, length: int) -> tuple[list[Tensor], list[Operator]]:
        shape = self._shape()
        last = self._value("x", shape)
        operators = []
        for number in range(length):
            kind = self._one(sorted(OPERATORS))
            constants = self._operands(kind, shape)
            options = self._options(kind)
            target = self._target(kind, shape, constants, options)
            operands = [last, *map(self._constant, constants)]
            if kind == "SPLIT":
                operands.reverse()
            elif self._is_odd():
                operands = [self._one([*operands, -1, last]) for _ in operands]
            elif kind in ("CONCATENATION", "SQUARED_DIFFERENCE") and len(operands) < 2:
                operands.append(last)
            count = abs(options.get("NumSplits", 1)) % 5 if kind == "SPLIT" else 1
            outputs = [self._value(f"y{number}.{i}", target) for i in range(count)]
            operators.append(Operator(kind, operands, outputs or [last], TABLE_OF.get(kind, ""), options))
            last, shape = outputs[0] if outputs else last, target
        operators.append(Operator("RELU", [last], [self._value("end", shape)]))
        return self._tensors, operators

    def _operands(self, kind: str, shape: list[int]) -> list[Array]:
        """Return constants behind the value, mostly of the kind that the operator wants."""
        if self._is_odd():
            return [self._anything() for _ in range(self._small())]
        make = WANTED.get(kind)
        try:
            return make(self, shape) if make else []
        # an odd shape has no axis to speak of
        except (IndexError, ValueError):
            return []

    def _anything(self) -> Array:
        return self._one([self._integers(self._small()), self.reals(*self._shape(4)), self.reals()])

    def _integers(self, count: int) -> Array:
        values = [self._one(ODD) for _ in range(count)]
        return np.array(values, np.int64).astype(self._one([np.int32, np.int64]))

    def reals(self, *shape: int) -> Array:
        """Return a constant of floats, some of them odd."""
        sizes = [abs(size) % 400 for size in shape]
        values = self._rng.standard_normal(sizes).astype(np.float32)
        return np.full(sizes, self._one(REALS), np.float32) if self._is_odd() else values

    def sides(self, shape: list[int]) -> Array:
        """Return a padding."""
        count = 2 * len(shape)
        values = self._integers(count) if self._is_odd() else self._rng.integers(0, 3, count)
        sides = np.asarray(values, np.int32).reshape(-1, 2)
        return sides if self._is_odd() else sides * np.array([[0], [1], [1], [0], [0], [0]], np.int32)[: len(shape)]

    def broadcast(self, shape: list[int]) -> Array:
        """Return a constant that goes with a value: some of its axes, some of them of size 1."""
        sizes = [1 if self._rng.random() < 0.4 else size for size in shape]
        return self.reals(*[1, *sizes[1:]][int(self._rng.integers(0, len(shape))) :])

    def cut(self, shape: list[int]) -> list[Array]:
        """Return where a slice begins and how much it takes."""
        begin = [0, *(int(self._rng.integers(0, max(size, 1))) for size in shape[1:])]
        count = [int(self._rng.integers(1, max(size - b, 0) + 2)) for size, b in zip(shape, begin, strict=True)]
        counts = [-1 if c > size - b else c for size, b, c in zip(shape, begin, count, strict=True)]
        return [self.oddly(begin), self.oddly([1, *counts[1:]])]

    def strides(self, shape: list[int]) -> list[Array]:
        """Return where a slice begins, where it ends, and its steps."""
        begin = [0, *(self._one([0, 0, 1, -1, -size]) for size in shape[1:])]
        end = [1, *(self._one([size, size, -1, 2, 99]) for size in shape[1:])]
        return [self.oddly(begin), self.oddly(end), self.oddly([1, *(self._one([1, 1, 2]) for _ in shape[1:])])]

    def factors(self, shape: list[int]) -> Array:
        """Return the shape of a reshape: the sizes in another order, or some of them as one."""
        sizes = [int(size) for size in self._rng.permutation(shape[1:])]
        if len(sizes) > 1 and self._rng.random() < 0.5:
            sizes = [sizes[0] * sizes[1], *sizes[2:]]
        return self.oddly([self._one([1, -1]), *sizes])

    def oddly(self, values: list[int]) -> Array:
        """Return integers, a few of them odd."""
        return np.array([self._one(ODD) if self._is_odd() else value for value in values], np.int64).astype(np.int32)

    def axes(self, shape: list[int]) -> Array:
        """Return a few axes."""
        known = [*range(1, len(shape)), -1]
        return self.oddly(sorted({self._one(known) for _ in range(1 + self._small())} - {0}))

    def _target(self, kind: str, shape: list[int], constants: list[Array], options: dict[str, Any]) -> list[int]:
        if self._is_odd():
            return self._shape()
        try:
            target = result_of(kind, shape, constants, options)
        # whatever does not fit gives no shape
        except (ArithmeticError, ValueError, IndexError, KeyError, TypeError):
            return shape
        return [int(size) if abs(size) < 1 << 31 else 1 for size in target]

    def _options(self, kind: str) -> dict[str, Any]:
        table = TABLE_OF.get(kind, "")
        if not table:
            return {}
        return {
            field: value
            for field in fields_of(getattr(tflite, table))
            if (value := self._field(table, field)) is not None
        }

    def _field(self, table: str, field: str) -> Any:
        default = DEFAULTS[table][field]
        if self._is_odd():
            return None
        if isinstance(default, bool):
            return bool(self._rng.random() < 0.3)
        if isinstance(default, tuple):
            return [int(v) for v in self._integers(self._small())] if self._is_odd() else None
        if isinstance(default, float):
            return self._one(REALS) if self._is_odd() else 0.5
        wide = (
            "Stride" in field
            or "Factor" in field
            or "Filter" in field
            or field in ("Axis", "NumSplits", "DepthMultiplier")
        )
        odd = self._one(ODD if wide else (0, 1, 2, 3, 4, 5, 100))
        return odd if self._is_odd() else self._one([1, 2] if wide else [0, 1])

    def _value(self, name: str, shape: list[int]) -> int:
        dtype = self._one(["float32", "int8", "int32", "uint8", "int4"]) if self._is_odd() else self._quantized
        scales, zeros = self._scales(shape) if dtype and dtype[:5] != "float" and not self._is_odd() else ((), ())
        if dtype == "int16" and not self._is_odd():
            zeros = [0 for _ in zeros]
        axis = int(self._rng.integers(0, 4))
        self._tensors.append(Tensor(name, shape, None, scales, zeros, axis, dtype or "float32"))
        return len(self._tensors) - 1

    def _constant(self, data: Array) -> int:
        tensor = Tensor(f"c{len(self._tensors)}", list(data.shape), data)
        if data.dtype == np.float32 and bool(self._quantized) != self._is_odd():
            tensor.data = np.clip(np.nan_to_num(data).astype(np.float64) * 9, -128, 127).astype(np.int8)
            tensor.scales, tensor.zeros = self._scales(list(data.shape))
            tensor.axis = int(self._rng.integers(0, 4))
        if self._is_odd():
            tensor.shape = self._shape(4)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _scales(self, shape: list[int]) -> tuple[list[float], list[int]]:
        odd = self._is_odd()
        count = abs(self._one(shape)) % 8 if shape and odd else 1
        scales = [
            float(np.float32(self._one(REALS))) if odd else float(self._rng.uniform(0.01, 0.1)) for _ in range(count)
        ]
        return scales, [int(v) for v in self._rng.integers(*((-128, 255) if self._is_odd() else (0, 128)), count)]

    def _shape(self, axes: int | None = None) -> list[int]:
        count = int(self._rng.integers(1, 6)) if axes is None and self._is_odd() else axes or 4
        shape = [int(size) for size in self._rng.integers(1, 7, count)]
        if self._is_odd():
            shape[self._rng.integers(0, count)] = self._one(ODD)
        return [1, *shape[1:]] if axes is None else shape

    def _is_odd(self) -> bool:
        return bool(self._rng.random() < self._odd)

    def _small(self) -> int:
        return int(self._rng.integers(0, 4))

    def _one(self, values: Any) -> Any:
        return values[int(self._rng.integers(0, len(values)))]


DEFAULTS = {table: Tables(tflite)._defaults(table)[0] for table in set(TABLE_OF.values())}

WANTED: dict[str, Callable[[_Writer, list[int]], list[Array]]] = {
    "CONV_2D": lambda w, s: [w.reals(5, w._small() + 1, 2, s[-1]), w.reals(5)],
    "DEPTHWISE_CONV_2D": lambda w, s: [w.reals(1, w._small() + 1, 2, s[-1]), w.reals(s[-1])],
    "FULLY_CONNECTED": lambda w, s: [w.reals(3, w._one([s[-1], math.prod(s)])), w.reals(3)],
    "BATCH_MATMUL": lambda w, s: [w.reals(s[-1], s[-1])],
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"), lambda w, s: [w.broadcast(s)]),
    "PRELU": lambda w, s: [w.broadcast(s)],
    "RESHAPE": lambda w, s: [w.factors(s)],
    "EXPAND_DIMS": lambda w, s: [w.oddly([1 + w._small() % max(len(s), 1)])],
    "TRANSPOSE": lambda w, s: [w.oddly([0, *(int(axis) for axis in 1 + w._rng.permutation(len(s) - 1))])],
    "SPLIT": lambda w, s: [np.array(w._one([1, -1, *range(1, len(s))]), np.int32)],
    "SLICE": lambda w, s: w.cut(s),
    "STRIDED_SLICE": lambda w, s: w.strides(s),
    **dict.fromkeys(("PAD", "MIRROR_PAD"), lambda w, s: [w.sides(s)]),
    "PADV2": lambda w, s: [w.sides(s), w.reals()],
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), lambda w, s: [w.axes(s)]),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), lambda w, s: [w.oddly([1 + w._small(), 5])]),
}
"""The inputs after the value, for the operators that want constants."""
