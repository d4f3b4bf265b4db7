"""Gradients of pooling. Of several equal largest elements the first of the window gets it all, as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.gradients.base import Gradients, gradient_of
from cnnfast.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool

Pool = MaxPool | AvgPool


@gradient_of(MaxPool)
def _max_pool(op: MaxPool, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    padded = _padded(op, inputs[0], -np.inf)
    dx = np.zeros_like(padded)
    waiting = np.ones(y.shape, bool)
    for place in _places(op, y.shape):
        found = waiting & (padded[place] == y)
        dx[place] += np.where(found, dy, 0)
        waiting &= ~found
    return (_cropped(op, dx, inputs[0]),)


@gradient_of(AvgPool)
def _avg_pool(op: AvgPool, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    dx = np.zeros_like(_padded(op, inputs[0], 0))
    share = (dy / op.divisors(*inputs[0].shape[2:])).astype(dy.dtype)
    for place in _places(op, y.shape):
        dx[place] += share
    return (_cropped(op, dx, inputs[0]),)


def _padded(op: Pool, x: Array, value: float) -> Array:
    top, left, bottom, right = op.overhang(*x.shape[2:])
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def _cropped(op: Pool, dx: Array, x: Array) -> Array:
    top, left, _, _ = op.padding
    return dx[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def _places(op: Pool, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield where each element of the window is, for all windows at once."""
    oh, ow = shape[2:]
    for p in range(op.kernel[0]):
        for q in range(op.kernel[1]):
            i, j = p * op.dilation[0], q * op.dilation[1]
            rows = slice(i, i + (oh - 1) * op.stride[0] + 1, op.stride[0])
            yield slice(None), slice(None), rows, slice(j, j + (ow - 1) * op.stride[1] + 1, op.stride[1])


@gradient_of(GlobalAvgPool)
def _global_avg_pool(op: GlobalAvgPool, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x = inputs[0]
    share = dy.reshape(*x.shape[:2], 1, 1) / x.dtype.type(x.shape[2] * x.shape[3])
    return (np.broadcast_to(share, x.shape).copy(),)


@gradient_of(GlobalMaxPool)
def _global_max_pool(op: GlobalMaxPool, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    flat = inputs[0].reshape(*inputs[0].shape[:2], -1)
    dx = np.zeros_like(flat)
    np.put_along_axis(dx, flat.argmax(axis=2)[..., None], dy.reshape(*flat.shape[:2], 1), axis=2)
    return (dx.reshape(inputs[0].shape),)
