"""Gradients of softmax, its logarithm, local response normalization, and batch-norm in prediction."""

from __future__ import annotations

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.batch_norm import BatchNorm
from cnnfast.ops.gradients.base import Gradients, gradient_of, over_channels, per_channel
from cnnfast.ops.lrn import Lrn
from cnnfast.ops.softmax import LogSoftmax, Softmax


@gradient_of(Softmax)
def _softmax(op: Softmax, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (y * (dy - (dy * y).sum(axis=op.axis, keepdims=True)),)


@gradient_of(LogSoftmax)
def _log_softmax(op: LogSoftmax, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (dy - np.exp(y) * dy.sum(axis=op.axis, keepdims=True),)


@gradient_of(BatchNorm)
def _batch_norm(op: BatchNorm, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    """Batch-norm with fixed statistics, which are ordinary parameters; for training see `batch_norm_gradient`."""
    x, scale, _, mean, var = inputs
    factor = 1 / np.sqrt(var + op.eps)
    centered = x - per_channel(mean, x.ndim)
    dshift, product = over_channels(dy), over_channels(dy * centered)
    dx = dy * per_channel(scale * factor, x.ndim)
    return dx, product * factor, dshift, -scale * factor * dshift, -0.5 * scale * factor**3 * product


@gradient_of(Lrn)
def _lrn(op: Lrn, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x = inputs[0]
    channels = x.shape[1]
    reach = [(max(0, c - (op.size - 1) // 2), min(channels - 1, c + op.size // 2)) for c in range(channels)]
    energy = np.stack([(x[:, a : b + 1] ** 2).sum(axis=1) for a, b in reach], axis=1)
    base = op.bias + op.alpha / op.size * energy
    dx = dy * base**-op.beta
    passed = dy * x * (-op.beta) * base ** (-op.beta - 1) * (2 * op.alpha / op.size)
    for c, (a, b) in enumerate(reach):
        dx[:, a : b + 1] += x[:, a : b + 1] * passed[:, c : c + 1]
    return (dx,)
