"""Layers with weights: Conv, Gemm, MatMul."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.operators.windows import window, with_rows, without_rows
from cnnfast.formats.onnx.values import OnnxImages, Static
from cnnfast.ops import Add, Array, Conv2d, Flatten, Linear, MatMul, Mul, Reshape, Transpose


@operator("Conv")
def conv(call: NodeCall) -> OnnxImages:
    """Convolve images with constant weights, over one axis or two."""
    bias = (real(call.static(2)),) if call.has(2) else ()
    return convolved(call, call.images(0), real(call.static(1)), bias)


def convolved(call: NodeCall, x: OnnxImages, weight: Array, bias: tuple[Array, ...]) -> OnnxImages:
    """Emit a convolution with the attributes of a node."""
    rank = len(x.shape)
    if weight.ndim != rank + 1:
        raise ModelFileError(f"weights of shape {weight.shape} do not fit images of shape {x.shape}")
    x = with_rows(call, x)
    kernel = call.integers("kernel_shape", weight.shape[2:])
    if kernel != weight.shape[2:]:
        raise ModelFileError(f"kernel_shape is {kernel}, but the weights have the shape {weight.shape}")
    w = window(call, kernel, x.shape)
    op = Conv2d(w.stride, w.padding, w.dilation, call.integer("group", 1))
    weight = weight.reshape(*weight.shape[:2], *w.kernel)
    return without_rows(call, call.emit(op, x, weight, *bias), rank)


@operator("Gemm")
def gemm(call: NodeCall) -> OnnxImages:
    """Multiply rows of features by a constant matrix, then add a constant or another value."""
    x, alpha, beta = call.images(0), call.real("alpha", 1.0), call.real("beta", 1.0)
    if call.flag("transA"):
        raise UnsupportedError("transA: the images would not be counted by axis 0")
    weight = real(call.static(1))
    if weight.ndim != 2:
        raise ModelFileError(f"Gemm needs a matrix, but B has the shape {weight.shape}")
    weight = (weight if call.flag("transB") else weight.T) * np.asarray(alpha, weight.dtype)
    if not call.has(2) or beta == 0:
        return call.emit(Linear(), x, weight)
    added = call.value(2)
    if isinstance(added, Static):
        bias = real(added.of_one_image(1)) * np.asarray(beta, np.float32)
        return call.emit(Linear(), x, weight, call.fitted(bias, weight.shape[:1], "bias"))
    scaled = added if beta == 1 else call.emit(Mul(), added, np.asarray(beta))
    return call.emit(Add(), call.emit(Linear(), x, weight), scaled)


@operator("MatMul")
def matmul(call: NodeCall) -> OnnxImages:
    """Multiply by a constant matrix, from the right or the left, or the matrices of two values of each image."""
    a, b = call.value(0), call.value(1)
    if isinstance(b, Static) and isinstance(a, OnnxImages) and all(size == 1 for size in b.pair[0].shape[:-2]):
        return multiplied(call, a, real(b.array))
    rank = max(len(value.shape) for value in (a, b) if isinstance(value, OnnxImages))
    if any(isinstance(value, OnnxImages) and len(value.shape) != rank for value in (a, b)) or rank < 2:
        raise UnsupportedError("values of so few or of different axes would set images against matrices")
    images = [value for value in (a, b) if isinstance(value, OnnxImages)]
    # images that share an axis with heads are as many matrices
    if is_joined := all(value.is_joined for value in images) and len({value.shape[0] for value in images}) == 1:
        a, b = (value.apart if isinstance(value, OnnxImages) else value for value in (a, b))
    return replace(call.emit(MatMul(), *(_matrices(value, rank) for value in (a, b))), is_joined=is_joined)


def _matrices(value: OnnxImages | Static, rank: int) -> OnnxImages | Array:
    """Return a value, or a constant with as many axes as one image has."""
    if isinstance(value, OnnxImages):
        return value
    array = real(value.of_one_image(rank))
    if array.ndim < 2:
        raise UnsupportedError(f"a constant of shape {array.shape}, which is not a matrix")
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def multiplied(call: NodeCall, x: OnnxImages, matrix: Array) -> OnnxImages:
    """Emit the product of the last axis of images with a constant matrix (K, O)."""
    if matrix.ndim == 1 and len(x.shape) > 1:
        columns = multiplied(call, x, matrix[:, None])
        return call.emit(Reshape(x.shape[:-1]) if len(x.shape) > 2 else Flatten(), columns)
    while matrix.ndim > 2 and matrix.shape[0] == 1 and matrix.ndim <= len(x.shape) + 1:
        matrix = matrix[0]
    if matrix.ndim != 2 or matrix.shape[0] != x.shape[-1]:
        raise UnsupportedError(f"a constant of shape {matrix.shape} times values of shape {x.shape}")
    if len(x.shape) == 1:
        return call.emit(Linear(), x, matrix.T)
    return _of_every_pixel(call, x, matrix)


def _of_every_pixel(call: NodeCall, x: OnnxImages, matrix: Array) -> OnnxImages:
    """Emit a product along the last axis as a 1x1 convolution; transposes that meet their opposite vanish later."""
    *rest, features = x.shape
    last = len(x.shape)
    forth, back = (0, last, *range(1, last)), (0, *range(2, last + 1), 1)
    channels = call.emit(Transpose(forth), x)
    if len(rest) != 2:
        channels = call.emit(Reshape((features, math.prod(rest), 1)), channels)
    y = call.emit(Conv2d(), channels, matrix.T[:, :, None, None])
    if len(rest) != 2:
        y = call.emit(Reshape((matrix.shape[1], *rest)), y)
    return call.emit(Transpose(back), y)


def real(array: Array) -> Array:
    """Return weights as a network keeps them: float32, or float64 where the file has it."""
    if array.dtype.kind != "f":
        raise UnsupportedError(f"weights of type {array.dtype}")
    return array if array.dtype == np.float64 else array.astype(np.float32, copy=False)
