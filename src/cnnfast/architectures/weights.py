"""Where the weights of a new network come from."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.layers import AnyLayer, BatchNorm, Conv2d, Layer, Linear
from cnnfast.ops import Array

Layers = list[AnyLayer]


class Weights:
    """Makes named layers with fresh weights; the same calls give the same weights.

    Parameters
    ----------
    seed : int, optional
        Of normal numbers with the variance ``2 / inputs`` of He et al., 2015 (1502.01852); without it all are zero.

    Examples
    --------
    >>> Weights(0).conv("conv1", 3, 16, 5).parameters["weight"].shape
    (16, 3, 5, 5)
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = None if seed is None else np.random.default_rng(seed)

    def _normal(self, shape: tuple[int, ...]) -> Array:
        if self._rng is None:
            return np.zeros(shape, np.float32)
        return self._rng.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / math.prod(shape[1:])))

    def conv(
        self,
        name: str,
        channels: int,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> Layer:
        """Return a convolution; by default its padding keeps the size of the image."""
        weight = self._normal((filters, channels // groups, kernel, kernel))
        zeros = np.zeros(filters) if bias else None
        padding = kernel // 2 if padding is None else padding
        return Conv2d(weight, zeros, stride=stride, padding=padding, groups=groups, name=name)

    def linear(self, name: str, features: int, outputs: int) -> Layer:
        """Return a dense layer."""
        return Linear(self._normal((outputs, features)), np.zeros(outputs), name=name)

    def batch_norm(self, name: str, channels: int) -> Layer:
        """Return a batch-norm that does nothing yet."""
        ones, zeros = np.ones(channels), np.zeros(channels)
        return BatchNorm(ones, zeros, zeros, ones, name=name)
