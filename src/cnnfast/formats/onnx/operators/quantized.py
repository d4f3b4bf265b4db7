"""Quantized nodes, run as floats: a value that the file holds as integers is the real number that they stand for.

Rounding to integers is left out; their range is not, since a network may rely on it (the range of uint8 with zero point
0 is a ReLU). What the integers stand for is a property of the value (`Integers`), which every op that only selects
elements hands on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.fold import along, quantized_zero, result_is_real
from cnnfast.formats.onnx.operators.conv_gemm import convolved, multiplied
from cnnfast.formats.onnx.operators.elements import clipped, numbers
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import FoundScale, Integers, OnnxImages, Value
from cnnfast.ops import Array, Mul, Sub


@operator("QuantizeLinear")
def quantize(call: NodeCall) -> OnnxImages:
    """Limit to the range of the integers."""
    # there is one scale, and neither floats of eight bits nor arithmetic in any type but float32
    call.ignore("axis", "saturate", "precision")
    return limited(call, numbers(call, call.images(0)), call.static(1), quantized_zero(call, call.static(1)))


@operator("DequantizeLinear")
def dequantize(call: NodeCall) -> OnnxImages:
    """Do nothing to a value that is real already; make an input of the network real."""
    x = call.images(0)
    result_is_real(call)
    if isinstance(call.given(1), FoundScale):
        return _found_again(call, x)
    scale = call.static(1)
    return dequantized(call, x, scale, call.static(2) if call.has(2) else np.zeros(scale.shape, np.uint8))


def _found_again(call: NodeCall, x: OnnxImages) -> OnnxImages:
    scale, zero = call.given(1), call.given(2) if call.has(2) else None
    if (
        x.integers is None
        or not (isinstance(scale, FoundScale) and isinstance(zero, FoundScale))
        or not (scale.source == zero.source == x.integers.scale == x.integers.zero)
        or not (scale.factor is not None and scale.factor.size == 1 and scale.factor.reshape(-1)[0] == 1)
    ):
        raise UnsupportedError("a scale found in the images, but not those that its integers are made of")
    return x.real


def dequantized(call: NodeCall, x: OnnxImages, scale: Array, zero: Array) -> OnnxImages:
    """Emit ``(integer - zero) * scale``, as far as the numbers that the integers stand for are not that already."""
    if x.integers is None:
        raise UnsupportedError("its input holds real numbers, not integers")
    if scale.size == zero.size == 1 and _meaning(x.integers.dtype, scale, zero) == x.integers:
        return x.real
    rank = len(x.shape)
    axis = call.axis(call.integer("axis", 1), rank) - 1 if scale.size > 1 or zero.size > 1 else 0
    if any(part.size not in (1, x.shape[axis]) for part in (scale, zero)):
        raise ModelFileError(f"scales of shape {scale.shape}, zero points {zero.shape} for images of shape {x.shape}")
    scale, zero = (along(call, part, rank, axis) for part in (scale, zero))
    y = numbers(call, x)
    shifted = call.emit(Sub(), y, zero.astype(np.float32)) if zero.any() else y
    return call.emit(Mul(), shifted, scale.astype(np.float32))


@operator("QLinearConv")
def conv(call: NodeCall) -> OnnxImages:
    """Convolve: inputs x, its scale and zero point, the same of the weights, scale and zero point of y, bias."""
    x, scale, weight = dequantized(call, call.images(0), call.static(1), call.static(2)), call.static(4), call.static(3)
    scales, zeros = (
        call.fitted(_by_filter(part, weight.ndim), weight.shape, "scale") for part in (scale, call.static(5))
    )
    weight = (weight - zeros.astype(np.float64)) * scales
    bias: tuple[Array, ...] = ()
    if call.has(8):
        unit = call.fitted(call.number(1) * scale.astype(np.float64), call.static(8).shape, "scale")
        bias = ((call.static(8) * unit).astype(np.float32),)
    y = convolved(call, x, weight.astype(np.float32), bias)
    return limited(call, y, call.static(6), call.static(7))


@operator("QLinearMatMul")
def matmul(call: NodeCall) -> OnnxImages:
    """Multiply: inputs a and b, each with scale and zero point, scale and zero point of y."""
    x = dequantized(call, call.images(0), call.static(1), call.static(2))
    matrix = call.static(3)
    scales, zeros = (call.fitted(call.static(i), matrix.shape, "scale") for i in (4, 5))
    matrix = (matrix - zeros.astype(np.float64)) * scales
    return limited(call, multiplied(call, x, matrix.astype(np.float32)), call.static(6), call.static(7))


def _by_filter(part: Array, rank: int) -> Array:
    return part.reshape(-1, *(1,) * (rank - 1)) if part.ndim == 1 and rank else part


def _meaning(dtype: np.dtype[np.generic], scale: Array, zero: Array) -> Integers:
    return Integers(dtype, float(scale.reshape(-1)[0]), float(zero.reshape(-1)[0]))


def limited(call: NodeCall, x: OnnxImages, scale: Array, zero: Array) -> OnnxImages:
    """Emit the limits of the integers, and note what they stand for."""
    if scale.size != 1 or zero.size != 1 or zero.dtype.kind not in "iu" or zero.dtype.itemsize > 2:
        raise UnsupportedError(f"scales of shape {scale.shape} and integers of type {zero.dtype}; one scale is run")
    limits, meaning = np.iinfo(zero.dtype), _meaning(zero.dtype, scale, zero)
    unit, origin = float(scale.reshape(-1)[0]), float(zero.reshape(-1)[0])
    if not 0 < unit < np.inf:
        raise UnsupportedError(f"the scale {unit:g}; it must be a positive number")
    low, high = (limits.min - origin) * unit, (limits.max - origin) * unit
    return replace(clipped(call, x, low, high), integers=meaning)


@operator("DynamicQuantizeLinear")
def dynamic(call: NodeCall) -> list[Value]:
    """Do nothing: the range of the integers is that of the numbers, whatever it is."""
    x, name = call.images(0), call.result
    if x.integers is not None:
        raise UnsupportedError(f"its input holds {x.integers}, not real numbers")
    return [
        replace(x, integers=Integers(np.dtype(np.uint8), name, name)),
        FoundScale(name, np.ones((), np.float32)),
        FoundScale(name, None),
    ]


@operator("ConvInteger", "MatMulInteger")
def of_integers(call: NodeCall) -> OnnxImages:
    """Multiply integers: what comes out stands for numbers of the scale that came in, with the zero point 0."""
    weight = call.static(1).astype(np.float64)
    if call.has(3):
        zero = call.static(3).astype(np.float64)
        by_axis = _by_filter(zero, weight.ndim) if call.kind == "ConvInteger" else zero
        weight = weight - call.fitted(by_axis, weight.shape, "zero point")
    x, scale = _without_zero(call, call.images(0))
    weight = weight.astype(np.float32)
    y = convolved(call, x, weight, ()) if call.kind == "ConvInteger" else multiplied(call, x, weight)
    return replace(y, integers=Integers(np.dtype(np.int32), scale))


def _without_zero(call: NodeCall, x: OnnxImages) -> tuple[OnnxImages, float | str]:
    """Return the numbers that the integers minus input 2 stand for, and their scale."""
    held = x.integers
    if held is None:
        raise UnsupportedError("its input holds real numbers, not integers")
    zero = call.given(2) if call.has(2) else None
    if isinstance(held.scale, str):
        if not isinstance(zero, FoundScale) or zero.factor is not None or zero.source != held.zero:
            raise UnsupportedError("its zero point is not that of the node that made the integers")
        return x.real, held.scale
    origin = call.static(2) if zero is not None else np.zeros((), np.uint8)
    return dequantized(call, x, np.asarray(held.scale), origin), held.scale
