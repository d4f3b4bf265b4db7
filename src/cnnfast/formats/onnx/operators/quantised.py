"""Quantised nodes, run as floats: a value that the file holds as integers is the real number that they stand for.

Rounding to integers is left out; their range is not, since a network may rely on it (the range of uint8 with zero point
0 is a ReLU).
"""

from __future__ import annotations

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.call import Call
from cnnfast.formats.onnx.fold import along
from cnnfast.formats.onnx.operators.elements import clipped
from cnnfast.formats.onnx.operators.layers import convolved, multiplied
from cnnfast.formats.onnx.operators.registry import operator
from cnnfast.formats.onnx.values import Images
from cnnfast.ops import Array, Mul, Sub


@operator("QuantizeLinear")
def quantize(call: Call) -> Images:
    """Limit to the range of the integers."""
    return _limited(call, call.images(0), call.static(1), _zero(call, 2, call.static(1)))


@operator("DequantizeLinear")
def dequantize(call: Call) -> Images:
    """Do nothing to a value that is real already; make an input of the network real."""
    x, scale = call.images(0), call.static(1)
    zero = _zero(call, 2, scale)
    known = call.quantised.get(x.name)
    if known is not None:
        if not (np.array_equal(known[0], scale) and np.array_equal(known[1], zero)):
            raise UnsupportedError("its scale or zero point is not that of the node that made the integers")
        return x
    rank = len(x.shape)
    axis = call.axis(call.integer("axis", 1), rank) - 1 if scale.size > 1 else 0
    scale, zero = (along(call, part, rank, axis) for part in (scale, zero))
    shifted = call.emit(Sub(), x, zero.astype(np.float32)) if zero.any() else x
    return call.emit(Mul(), shifted, scale.astype(np.float32))


@operator("QLinearConv")
def conv(call: Call) -> Images:
    """Convolve: inputs x, its scale and zero point, the same of the weights, scale and zero point of y, bias."""
    x, scale = _real_images(call, 0), call.static(4)
    scales, zeros = (_by_filter(part, call.static(3).ndim) for part in (scale, call.static(5).astype(np.float64)))
    weight = (call.static(3) - zeros) * scales
    bias: tuple[Array, ...] = ()
    if call.has(8):
        bias = ((call.static(8) * (call.static(1).astype(np.float64) * scale)).astype(np.float32),)
    y = convolved(call, x, weight.astype(np.float32), bias)
    return _limited(call, y, call.static(6), call.static(7))


@operator("QLinearMatMul")
def matmul(call: Call) -> Images:
    """Multiply: inputs a and b, each with scale and zero point, scale and zero point of y."""
    x = _real_images(call, 0)
    matrix = (call.static(3) - call.static(5).astype(np.float64)) * call.static(4)
    return _limited(call, multiplied(call, x, matrix.astype(np.float32)), call.static(6), call.static(7))


def _real_images(call: Call, index: int) -> Images:
    """Return an input that stands for real numbers, with scale and zero point behind it."""
    x, scale, zero = call.images(index), call.static(index + 1), call.static(index + 2)
    if x.name in call.quantised:
        return x
    return call.emit(Mul(), call.emit(Sub(), x, zero.astype(np.float32)), scale.astype(np.float32))


def _by_filter(part: Array, rank: int) -> Array:
    return part.reshape(-1, *(1,) * (rank - 1)) if part.ndim else part


def _zero(call: Call, index: int, scale: Array) -> Array:
    return call.static(index) if call.has(index) else np.zeros(scale.shape, np.uint8)


def _limited(call: Call, x: Images, scale: Array, zero: Array) -> Images:
    """Emit the limits of the integers, and remember what they stand for."""
    if scale.size != 1 or zero.dtype.kind not in "iu" or zero.dtype.itemsize > 2:
        raise UnsupportedError(f"scales of shape {scale.shape} and integers of type {zero.dtype}; one scale is run")
    limits, unit, origin = np.iinfo(zero.dtype), float(scale.reshape(-1)[0]), float(zero.reshape(-1)[0])
    low, high = (limits.min - origin) * unit, (limits.max - origin) * unit
    y = clipped(call, x, low, high)
    call.quantised[y.name] = (scale, zero)
    return y
