"""Conversions between numbers, bytes and sums."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Shape
from cnnfast.ops.quantized.base import OnGrid, QuantizedOp, register_quantized
from cnnfast.ops.quantized.rounding import Grid, byte, ratio32, saturate


@register_quantized
@frozen
class Quantize(QuantizedOp):
    """Round numbers to bytes: ``y = sat(x * m + zero)`` with ``m = 1 / scale``.

    Shapes: x (N, ...), y the same. ONNX QuantizeLinear divides by the scale, which may differ by one step.

    Raises
    ------
    GraphError
        If the scale is not a normal positive float32, or the zero point not a byte.

    Examples
    --------
    >>> Quantize(0.5, 10).reference(np.array([-9.0, 0.0, 1.0, 1.2]))
    array([ 0, 10, 12, 12], dtype=uint8)
    """

    name: ClassVar[str] = "quantize"
    reads: ClassVar[tuple[str, ...]] = ("float32",)

    scale: float
    zero: int

    def __post_init__(self) -> None:
        grid = Grid(self.scale, self.zero)
        object.__setattr__(self, "scale", grid.scale)
        ratio32(self.name, "1 / scale", 1.0, grid.scale)

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def reference(self, *inputs: Array) -> Array:
        return Grid(self.scale, self.zero).nearest(inputs[0])


@register_quantized
@frozen
class Dequantize(QuantizedOp):
    """Return the numbers that bytes stand for: ``y = (x - zero) * scale``.

    Shapes: x (N, ...), y the same. ONNX DequantizeLinear.

    Raises
    ------
    GraphError
        If the scale is not a normal positive float32, or the zero point not a byte.

    Examples
    --------
    >>> Dequantize(0.5, 10).reference(np.array([0, 10, 12], np.uint8))
    array([-5.,  0.,  1.], dtype=float32)
    """

    name: ClassVar[str] = "dequantize"
    makes: ClassVar[str] = "float32"

    scale: float
    zero: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Grid(self.scale, self.zero).scale)

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def reference(self, *inputs: Array) -> Array:
        return Grid(self.scale, self.zero).real(inputs[0])


def units_by_channel(op: str, sums: Shape, unit: Shape) -> None:
    """Raise `GraphError` unless there is a unit for each channel of the sums."""
    if unit != sums[:1]:
        raise GraphError(f"{op} on sums of shape {sums} needs {sums[0]} units, but their shape is {unit}")


def aligned(unit: Array, sums: Array) -> Array:
    """Return a number for each channel, with trailing axes so that it broadcasts to sums (N, C, ...)."""
    return unit.reshape(-1, *(1,) * (sums.ndim - 2))


@register_quantized
@frozen
class DequantizeSums(QuantizedOp):
    """Return the numbers that sums stand for: ``y[n,o,...] = sums[n,o,...] * unit[o]``.

    Shapes: sums (N, O, ...) of int32, unit (O,) of float32: the scale of the layer's input times that of its weights.

    Raises
    ------
    GraphError
        If there is not one unit for each channel.

    Examples
    --------
    >>> DequantizeSums().reference(np.array([[3, 4]], np.int32), np.array([0.5, 2], np.float32))
    array([[1.5, 8. ]], dtype=float32)
    """

    name: ClassVar[str] = "dequantize_sums"
    data: ClassVar[tuple[str, ...]] = ("sums",)
    parameters: ClassVar[tuple[str, ...]] = ("unit",)
    reads: ClassVar[tuple[str, ...]] = ("int32", "float32")
    makes: ClassVar[str] = "float32"

    def shape(self, *inputs: Shape) -> Shape:
        units_by_channel(self.name, *inputs)
        return inputs[0]

    def units(self, unit: Array) -> Array:
        """Return ``unit``, or raise `GraphError` if one is not a normal positive number."""
        return ratio32(self.name, "unit", unit, 1.0)

    def reference(self, *inputs: Array) -> Array:
        sums, unit = inputs
        result: Array = sums.astype(np.float32) * aligned(self.units(unit), sums)
        return result


@register_quantized
@frozen
class Requantize(OnGrid):
    """Round sums to bytes: ``y = sat(sums * m[o] + zero, low, high)`` with ``m[o] = unit[o] / scale``.

    Shapes: sums (N, O, ...) of int32, unit (O,) of float32, y (N, O, ...).

    Parameters
    ----------
    scale, zero
        What the result stands for.
    low, high : int
        Its limits: a ReLU has ``low=zero``, a ReLU6 also the byte of 6 as ``high``.

    Raises
    ------
    GraphError
        If an attribute is out of range, or there is not one unit for each channel.

    Examples
    --------
    >>> op = Requantize(1.0, 10, low=10)
    >>> op.reference(np.array([[-7, 3, 5]], np.int32), np.array([1, 0.5, 0.5], np.float32))
    array([[10, 12, 12]], dtype=uint8)
    """

    name: ClassVar[str] = "requantize"
    data: ClassVar[tuple[str, ...]] = ("sums",)
    parameters: ClassVar[tuple[str, ...]] = ("unit",)
    reads: ClassVar[tuple[str, ...]] = ("int32", "float32")

    def shape(self, *inputs: Shape) -> Shape:
        units_by_channel(self.name, *inputs)
        return inputs[0]

    def multipliers(self, unit: Array) -> Array:
        """Return ``m``, float32 (O,), or raise `GraphError` if one is not a normal number."""
        return ratio32(self.name, "unit / scale", unit, self.scale)

    def reference(self, *inputs: Array) -> Array:
        sums, unit = inputs
        scaled = sums.astype(np.float32) * aligned(self.multipliers(unit), sums)
        return saturate(scaled + np.float32(self.zero), self.low, self.high)


@register_quantized
@frozen
class RequantizeAdd(OnGrid):
    """Add bytes to sums before they are rounded: the residual connection.

    ``y = sat((sums * m[o] + (r - r_zero) * mr) + zero, low, high)`` with ``m[o] = unit[o] / scale`` and
    ``mr = r_scale / scale``.

    Shapes: sums (N, O, ...) of int32, r the same of uint8, unit (O,) of float32, y (N, O, ...).

    Parameters
    ----------
    scale, zero, low, high
        As for `Requantize`.
    r_scale, r_zero
        What the bytes that are added stand for.

    Raises
    ------
    GraphError
        If an attribute is out of range, the shapes differ, or there is not one unit for each channel.

    Examples
    --------
    >>> op = RequantizeAdd(1.0, 10, r_scale=0.5, r_zero=4)
    >>> op.reference(np.array([[3]], np.int32), np.array([[8]], np.uint8), np.array([2], np.float32))
    array([[18]], dtype=uint8)
    """

    name: ClassVar[str] = "requantize_add"
    data: ClassVar[tuple[str, ...]] = ("sums", "r")
    parameters: ClassVar[tuple[str, ...]] = ("unit",)
    reads: ClassVar[tuple[str, ...]] = ("int32", "uint8", "float32")

    r_scale: float
    r_zero: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_grids("r_scale")
        byte(self.name, "r_zero", self.r_zero)
        self.residual_multiplier()

    def shape(self, *inputs: Shape) -> Shape:
        sums, residual, unit = inputs
        units_by_channel(self.name, sums, unit)
        if sums != residual:
            raise GraphError(f"{self.name} needs equal shapes, but got sums {sums} and {residual}")
        return sums

    def multipliers(self, unit: Array) -> Array:
        """Return ``m``, float32 (O,), or raise `GraphError` if one is not a normal number."""
        return ratio32(self.name, "unit / scale", unit, self.scale)

    def residual_multiplier(self) -> Array:
        """Return ``mr``, a float32."""
        return ratio32(self.name, "r_scale / scale", self.r_scale, self.scale)

    def reference(self, *inputs: Array) -> Array:
        sums, residual, unit = inputs
        scaled = sums.astype(np.float32) * aligned(self.multipliers(unit), sums)
        other = (residual.astype(np.int32) - self.r_zero).astype(np.float32) * self.residual_multiplier()
        return saturate((scaled + other) + np.float32(self.zero), self.low, self.high)

    def cost(self, *inputs: Shape) -> Cost:
        whole = super().cost(*inputs)
        return whole + whole
