"""Quantized operators of ONNX Runtime's own domain, com.microsoft: what its static quantization makes of a network.

Each computes with the real numbers that its integers stand for, as all quantized nodes are read, and ends in the range
of its result.
"""

from __future__ import annotations

import numpy as np

from cnnfast import ops
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.arithmetic import joined
from cnnfast.formats.onnx.operators.operator_list import contributed
from cnnfast.formats.onnx.operators.pools import channel_mean, pooled
from cnnfast.formats.onnx.operators.quantized import dequantized, limited
from cnnfast.formats.onnx.values import OnnxImages, Static
from cnnfast.ops import Array


@contributed("QGemm")
def gemm(call: NodeCall) -> OnnxImages:
    """Multiply: a and b with scale and zero point each, bias as sums, and the same of y, left out for floats."""
    if call.flag("transA"):
        raise UnsupportedError("transA: the images would not be counted by axis 0")
    x, matrix, alpha = _real(call, 0), call.static(3), call.real("alpha", 1.0)
    if matrix.ndim != 2:
        raise ModelFileError(f"QGemm needs a matrix, but B has the shape {matrix.shape}")
    by_row = call.flag("transB")
    # a scale for each output, which is a row of the transposed matrix and a column otherwise
    parts = [call.static(4), call.static(5)]
    scales, zeros = (part[:, None] if by_row and part.ndim == 1 and part.size > 1 else part for part in parts)
    weight = (matrix - call.fitted(zeros, matrix.shape, "zero point").astype(np.float64)) * call.fitted(
        scales, matrix.shape, "scale"
    )
    weight = (weight if by_row else weight.T) * alpha
    bias: tuple[Array, ...] = ()
    if call.has(6):
        unit = call.number(1) * call.static(4).reshape(-1).astype(np.float64) * alpha
        bias = ((call.static(6).reshape(-1) * unit).astype(np.float32),)
        bias = (call.fitted(bias[0], weight.shape[:1], "bias"),)
    y = call.emit(ops.Linear(), x, weight.astype(np.float32), *bias)
    return _result(call, y, 7) if call.has(7) else y


@contributed("QLinearAdd", "QLinearMul")
def two(call: NodeCall) -> OnnxImages:
    """Add or multiply: a and b with scale and zero point each, then scale and zero point of the result."""
    op = ops.Add() if call.kind == "QLinearAdd" else ops.Mul()
    return _result(call, joined(call, op, _real_or_constant(call, 0), _real_or_constant(call, 3)), 6)


@contributed("QLinearGlobalAveragePool", "QLinearAveragePool")
def pool(call: NodeCall) -> OnnxImages:
    """Take the mean of each channel or window: x and the result, with scale and zero point each."""
    if call.flag("channels_last"):
        raise UnsupportedError("channels_last; images (N, C, H, W) are run")
    x = _real(call, 0)
    return _result(call, channel_mean(call, x) if call.kind == "QLinearGlobalAveragePool" else pooled(call, x), 3)


@contributed("QLinearConcat")
def concat(call: NodeCall) -> OnnxImages:
    """Join values along an axis: scale and zero point of the result, then the same of each value behind it."""
    parts = [_real(call, i) for i in range(2, len(call.inputs), 3)]
    if not parts:
        raise ModelFileError("QLinearConcat has nothing to join")
    return _result(call, call.emit(ops.Concat(call.axis(call.integer("axis"), len(parts[0].shape))), *parts), 0)


@contributed("QLinearSigmoid", "QLinearLeakyRelu")
def activation(call: NodeCall) -> OnnxImages:
    """Compute a function of one element: x and the result, with scale and zero point each."""
    op = ops.Sigmoid() if call.kind == "QLinearSigmoid" else ops.LeakyRelu(call.real("alpha", 0.01))
    return _result(call, call.emit(op, _real(call, 0)), 3)


@contributed("QLinearSoftmax")
def softmax(call: NodeCall) -> OnnxImages:
    """Turn scores into probabilities along the last axis: x and the result, with scale and zero point each."""
    x = _real(call, 0)
    axis = call.axis(call.integer("axis", -1 if call.integer("opset") >= 13 else 1), len(x.shape))
    if axis != len(x.shape):
        raise UnsupportedError(f"axis {axis} of values of {len(x.shape) + 1} axes; the last one is run")
    return _result(call, call.emit(ops.Softmax(axis), x), 3)


def _zero(call: NodeCall, index: int) -> Array:
    """Return a zero point, 0 of unsigned bytes where it is left out."""
    return call.static(index) if call.has(index) else np.zeros((), np.uint8)


def _real(call: NodeCall, index: int) -> OnnxImages:
    """Return the real numbers of images, whose scale and zero point are the next two inputs."""
    return dequantized(call, call.images(index), call.static(index + 1), _zero(call, index + 2))


def _real_or_constant(call: NodeCall, index: int) -> OnnxImages | Static:
    value = call.value(index)
    if isinstance(value, OnnxImages):
        return _real(call, index)
    number = (value.array - _zero(call, index + 2).astype(np.float64)) * call.static(index + 1)
    return Static.of(number.astype(np.float32))


def _result(call: NodeCall, y: OnnxImages, index: int) -> OnnxImages:
    """End in the range of the result, whose scale and zero point are these inputs."""
    return limited(call, y, call.static(index), _zero(call, index + 1))
