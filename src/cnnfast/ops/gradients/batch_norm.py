"""Batch-norm in training: the statistics are those of the batch, and depend on every image of it."""

from __future__ import annotations

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.batch_norm import BatchNorm
from cnnfast.ops.gradients.base import Gradients, over_channels, per_channel


def batch_norm_training(op: BatchNorm, x: Array, scale: Array, shift: Array) -> tuple[Array, Array, Array]:
    """Normalize each channel by its mean and variance over the batch (Ioffe and Szegedy, 2015, algorithm 1).

    Parameters
    ----------
    op : BatchNorm
    x : array (N, C, H, W) or (N, C)
    scale, shift : array (C,)

    Returns
    -------
    y : array, as x
    mean, var : array (C,)
        Of the batch; the variance divides by the number of elements.

    Examples
    --------
    >>> y, mean, var = batch_norm_training(BatchNorm(eps=0.0), np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1))
    >>> y.ravel().tolist(), mean.tolist(), var.tolist()
    ([-1.0, 1.0], [2.0], [1.0])
    """
    mean = over_channels(x) / x.dtype.type(x.size // x.shape[1])
    centered = x - per_channel(mean, x.ndim)
    var = over_channels(centered**2) / x.dtype.type(x.size // x.shape[1])
    factor = scale / np.sqrt(var + x.dtype.type(op.eps))
    return centered * per_channel(factor, x.ndim) + per_channel(shift, x.ndim), mean, var


def batch_norm_gradient(op: BatchNorm, x: Array, scale: Array, mean: Array, var: Array, dy: Array) -> Gradients:
    """Return the gradients of `batch_norm_training` with respect to x, scale and shift.

    Every element moves the mean and the variance, so its gradient includes the effect on all others:
    ``dx = scale / std * (dy - mean(dy) - xhat * mean(dy * xhat))``.
    """
    std = np.sqrt(var + x.dtype.type(op.eps))
    normal = (x - per_channel(mean, x.ndim)) / per_channel(std, x.ndim)
    dshift, dscale = over_channels(dy), over_channels(dy * normal)
    count = x.dtype.type(x.size // x.shape[1])
    inner = dy - per_channel(dshift / count, x.ndim) - normal * per_channel(dscale / count, x.ndim)
    return inner * per_channel(scale / std, x.ndim), dscale, dshift
