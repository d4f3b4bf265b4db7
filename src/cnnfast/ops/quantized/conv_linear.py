"""Convolution and dense layer on bytes: exact sums of products, as int32."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Shape, set_field
from cnnfast.ops.conv2d import Conv2d
from cnnfast.ops.linear import Linear
from cnnfast.ops.quantized.base import QuantizedOp, register_quantized
from cnnfast.ops.quantized.rounding import byte

MAX_WEIGHT = 127
LARGEST_SUM = (1 << 31) - 1


def corrected_bias(weight: Array, bias: Array, zero: int) -> Array:
    """Return ``bias[o] - zero * sum(w[o])`` in int64: what sums of ``w * x`` begin with, x as stored.

    Examples
    --------
    >>> corrected_bias(np.array([[1, 2]], np.int8), np.array([5], np.int32), zero=10)
    array([-25])
    """
    result: Array = bias.astype(np.int64) - zero * weight.reshape(len(weight), -1).sum(axis=1, dtype=np.int64)
    return result


def check_sums(op: str, weight: Array, bias: Array, zero: int) -> None:
    """Raise `GraphError` if a sum could leave 32 bits, in whatever order it is added, or if a weight is -128.

    Examples
    --------
    >>> check_sums("conv", np.full((1, 4), 127, np.int8), np.array([2**31 - 1], np.int32), zero=0)
    Traceback (most recent call last):
    cnnfast.errors.GraphError: sums of conv could reach 2147613187 in channel 0; the most that int32 holds is 2147483647
    """
    if weight.size and weight.min() == -128:
        raise GraphError(f"a weight of {op} is -128; weights of 8 bits go from -127 to 127")
    heights = np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(axis=1)
    reach = np.abs(corrected_bias(weight, bias, zero)) + 255 * heights
    channel = int(reach.argmax())
    if reach[channel] > LARGEST_SUM:
        raise GraphError(
            f"sums of {op} could reach {reach[channel]} in channel {channel}; "
            f"the most that int32 holds is {LARGEST_SUM}"
        )


@register_quantized
@frozen
class IntegerConv2d(QuantizedOp):
    """Convolve bytes with bytes: ``sums[n,o,i,j] = bias[o] + sum w[o,c,p,q] * (x[n,...] - x_zero)``, x_zero outside.

    Shapes and attributes: those of `Conv2d`. x uint8, weight int8 from -127 to 127, bias int32, sums int32.

    Parameters
    ----------
    x_zero : int
        The zero point of x.
    stride, padding, dilation, groups
        As for `Conv2d`.

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not fit; by the reference, if a sum could leave 32 bits.

    Notes
    -----
    ONNX ConvInteger with the zero point of the weights 0.

    Examples
    --------
    >>> x, weight = np.full((1, 1, 2, 2), 12, np.uint8), np.full((1, 1, 3, 3), -3, np.int8)
    >>> IntegerConv2d(x_zero=10, padding=1).reference(x, weight, np.array([100], np.int32))
    array([[[[76, 76],
             [76, 76]]]], dtype=int32)
    """

    name: ClassVar[str] = "integer_conv2d"
    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias")
    reads: ClassVar[tuple[str, ...]] = ("uint8", "int8", "int32")
    makes: ClassVar[str] = "int32"

    x_zero: int
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        byte(self.name, "x_zero", self.x_zero)
        conv = self.on_numbers()
        for name in ("stride", "padding", "dilation"):
            set_field(self, name, getattr(conv, name))

    def on_numbers(self) -> Conv2d:
        """Return the same convolution of floats."""
        return Conv2d(self.stride, self.padding, self.dilation, self.groups)

    def shape(self, *inputs: Shape) -> Shape:
        return self.on_numbers().shape(*inputs)

    def reference(self, *inputs: Array) -> Array:
        x, weight, bias = inputs
        check_sums(self.name, weight, bias, self.x_zero)
        # float64 holds every integer below 2**53, so these products and sums are exact
        centered = x.astype(np.float64) - self.x_zero
        sums = self.on_numbers().reference(centered, weight.astype(np.float64), bias.astype(np.float64))
        return sums.astype(np.int32)

    def cost(self, *inputs: Shape) -> Cost:
        return self.on_numbers().cost(*inputs)


@register_quantized
@frozen
class IntegerLinear(QuantizedOp):
    """Multiply bytes by a matrix of bytes: ``sums[n,o] = bias[o] + sum_f w[o,f] * (x[n,f] - x_zero)``.

    Shapes: x (N, F) of uint8, weight (O, F) of int8 from -127 to 127, bias (O,) of int32, sums (N, O) of int32.

    Raises
    ------
    GraphError
        If the zero point is not a byte or the shapes do not fit; by the reference, if a sum could leave 32 bits.

    Notes
    -----
    ONNX MatMulInteger with the zero point of the weights 0.

    Examples
    --------
    >>> op = IntegerLinear(x_zero=10)
    >>> op.reference(np.array([[11, 8]], np.uint8), np.array([[3, 4]], np.int8), np.array([100], np.int32))
    array([[95]], dtype=int32)
    """

    name: ClassVar[str] = "integer_linear"
    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias")
    reads: ClassVar[tuple[str, ...]] = ("uint8", "int8", "int32")
    makes: ClassVar[str] = "int32"

    x_zero: int

    def __post_init__(self) -> None:
        byte(self.name, "x_zero", self.x_zero)

    def shape(self, *inputs: Shape) -> Shape:
        return Linear().shape(*inputs)

    def reference(self, *inputs: Array) -> Array:
        x, weight, bias = inputs
        check_sums(self.name, weight, bias, self.x_zero)
        sums = Linear().reference(x.astype(np.float64) - self.x_zero, weight.astype(np.float64), bias)
        return sums.astype(np.int32)

    def cost(self, *inputs: Shape) -> Cost:
        return Linear().cost(*inputs)
