"""Sum and product of two values of bytes, element by element, with broadcasting."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops.arithmetic import Add, Binary, Mul
from cnnfast.ops.base import Array, Shape
from cnnfast.ops.quantized.base import OnGrid, register_quantized
from cnnfast.ops.quantized.rounding import byte, ratio32, saturate


@frozen
class _OfTwo(OnGrid):
    """What sum and product share: the grids of both operands."""

    data: ClassVar[tuple[str, ...]] = ("a", "b")
    reads: ClassVar[tuple[str, ...]] = ("uint8", "uint8")
    on_numbers: ClassVar[Binary]

    a_scale: float
    a_zero: int
    b_scale: float
    b_zero: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_grids("a_scale", "b_scale")
        byte(self.name, "a_zero", self.a_zero)
        byte(self.name, "b_zero", self.b_zero)
        self.multipliers()

    def shape(self, *inputs: Shape) -> Shape:
        return self.on_numbers.shape(*inputs)

    def multipliers(self) -> tuple[Array, ...]:
        """Return the float32 constants of the formula, or raise `GraphError` if one is not a normal number."""
        raise NotImplementedError

    def _centered(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Return both operands minus their zero points, with equal numbers of axes."""
        return self.on_numbers.aligned(a.astype(np.int32) - self.a_zero, b.astype(np.int32) - self.b_zero)


@register_quantized
@frozen
class QuantizedAdd(_OfTwo):
    """Add bytes: ``y = sat(((a - a_zero) * ma + (b - b_zero) * mb) + zero, low, high)``.

    ``ma = a_scale / scale``, ``mb = b_scale / scale``. Shapes: as for `Add`.

    Parameters
    ----------
    scale, zero, low, high
        Of the result, as for `Requantize`.
    a_scale, a_zero, b_scale, b_zero
        What the operands stand for.

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not broadcast.

    Examples
    --------
    >>> op = QuantizedAdd(1.0, 0, a_scale=0.5, a_zero=0, b_scale=2.0, b_zero=1)
    >>> op.reference(np.array([[6]], np.uint8), np.array([[3]], np.uint8))
    array([[7]], dtype=uint8)
    """

    name: ClassVar[str] = "quantized_add"
    on_numbers: ClassVar[Binary] = Add()

    def multipliers(self) -> tuple[Array, ...]:
        return (
            ratio32(self.name, "a_scale / scale", self.a_scale, self.scale),
            ratio32(self.name, "b_scale / scale", self.b_scale, self.scale),
        )

    def reference(self, *inputs: Array) -> Array:
        (a, b), (ma, mb) = self._centered(*inputs), self.multipliers()
        total = a.astype(np.float32) * ma + b.astype(np.float32) * mb
        return saturate(total + np.float32(self.zero), self.low, self.high)


@register_quantized
@frozen
class QuantizedMul(_OfTwo):
    """Multiply bytes: ``y = sat((a - a_zero) * (b - b_zero) * m + zero, low, high)``.

    The product of integers is exact; ``m = a_scale * b_scale / scale``. Shapes: as for `Mul`.

    Parameters
    ----------
    scale, zero, low, high
        Of the result, as for `Requantize`.
    a_scale, a_zero, b_scale, b_zero
        What the operands stand for.

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not broadcast.

    Examples
    --------
    >>> op = QuantizedMul(1.0, 0, a_scale=0.5, a_zero=0, b_scale=2.0, b_zero=1)
    >>> op.reference(np.array([[6]], np.uint8), np.array([[3]], np.uint8))
    array([[12]], dtype=uint8)
    """

    name: ClassVar[str] = "quantized_mul"
    on_numbers: ClassVar[Binary] = Mul()

    def multipliers(self) -> tuple[Array, ...]:
        return (ratio32(self.name, "a_scale * b_scale / scale", self.a_scale * self.b_scale, self.scale),)

    def reference(self, *inputs: Array) -> Array:
        (a, b), (m,) = self._centered(*inputs), self.multipliers()
        return saturate((a * b).astype(np.float32) * m + np.float32(self.zero), self.low, self.high)
