"""Convolution, pooling and the dense layer as their formulas say: loops over Python floats, one image, no NumPy tricks.

A second opinion on the references, written from the definitions of ONNX and PyTorch and not from the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from cnnfast.ops import AvgPool, Conv2d, MaxPool
from cnnfast.ops.base import Array


def conv2d(op: Conv2d, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Convolve one image (C, H, W)."""
    _, height, width = x.shape
    oc, per_group, kh, kw = weight.shape
    oh = _floor_mode(height, op.padding[0] + op.padding[2], op.dilation[0] * (kh - 1) + 1, op.stride[0])
    ow = _floor_mode(width, op.padding[1] + op.padding[3], op.dilation[1] * (kw - 1) + 1, op.stride[1])
    y = np.empty((oc, oh, ow))
    for o, i, j in np.ndindex(oc, oh, ow):
        first_channel = o // (oc // op.groups) * per_group
        total = 0.0 if bias is None else float(bias[o])
        for c, p, q in np.ndindex(per_group, kh, kw):
            row = i * op.stride[0] + p * op.dilation[0] - op.padding[0]
            column = j * op.stride[1] + q * op.dilation[1] - op.padding[1]
            if 0 <= row < height and 0 <= column < width:
                total += float(weight[o, c, p, q]) * float(x[first_channel + c, row, column])
        y[o, i, j] = total
    return y


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply one row (F,) by a matrix."""
    return np.array(
        [
            sum(float(w) * float(v) for w, v in zip(row, x, strict=True)) + (0.0 if bias is None else float(bias[o]))
            for o, row in enumerate(weight)
        ]
    )


def max_pool(op: MaxPool, x: Array) -> Array:
    """Pool one image (C, H, W); an empty window gives -inf."""
    y = np.empty((len(x), *_pooled_size(op, x)))
    for c, i, j in np.ndindex(y.shape):
        y[c, i, j] = max((float(x[c, r, s]) for r, s in _window(op, x, i, j)), default=-math.inf)
    return y


def avg_pool(op: AvgPool, x: Array) -> Array:
    """Pool one image (C, H, W)."""
    y = np.empty((len(x), *_pooled_size(op, x)))
    for c, i, j in np.ndindex(y.shape):
        inside = [float(x[c, r, s]) for r, s in _window(op, x, i, j)]
        y[c, i, j] = sum(inside) / (_taps_in_padded_image(op, x, i, j) if op.count_padding else len(inside))
    return y


def _floor_mode(size: int, padding: int, span: int, stride: int) -> int:
    return (size + padding - span) // stride + 1


def _pooled_size(op: MaxPool | AvgPool, x: Array) -> tuple[int, int]:
    sizes = []
    for axis in (0, 1):
        size, before, after = x.shape[1 + axis], op.padding[axis], op.padding[axis + 2]
        span = op.dilation[axis] * (op.kernel[axis] - 1) + 1
        if op.ceil_mode:
            starts = range(-before, size + after - span + op.stride[axis], op.stride[axis])
            sizes.append(sum(start < size for start in starts))
        else:
            sizes.append(_floor_mode(size, before + after, span, op.stride[axis]))
    return sizes[0], sizes[1]


def _taps(op: MaxPool | AvgPool, i: int, j: int) -> Iterator[tuple[int, int]]:
    for p, q in np.ndindex(op.kernel):
        row = i * op.stride[0] + p * op.dilation[0] - op.padding[0]
        yield row, j * op.stride[1] + q * op.dilation[1] - op.padding[1]


def _window(op: MaxPool | AvgPool, x: Array, i: int, j: int) -> list[tuple[int, int]]:
    return [(r, s) for r, s in _taps(op, i, j) if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]]


def _taps_in_padded_image(op: AvgPool, x: Array, i: int, j: int) -> int:
    bottom, right = x.shape[1] + op.padding[2], x.shape[2] + op.padding[3]
    return sum(r < bottom and s < right for r, s in _taps(op, i, j))
