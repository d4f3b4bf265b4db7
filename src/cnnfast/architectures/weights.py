"""Where the weights of a new network come from."""

from __future__ import annotations

import math

import numpy as np

from cnnfast import ops
from cnnfast.layers import AnyLayer, Layer
from cnnfast.ops import Array

Layers = list[AnyLayer]


class LayerMaker:
    """Makes named layers with fresh weights; the same calls give the same weights.

    Parameters
    ----------
    seed : int, optional
        Of normal numbers with the variance ``2 / inputs`` of He et al., 2015 (1502.01852); without it all are zero.

    Examples
    --------
    >>> LayerMaker(0).conv("conv1", 3, 16, 5).parameters["weight"].shape
    (16, 3, 5, 5)
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = None if seed is None else np.random.default_rng(seed)

    def _normal(self, shape: tuple[int, ...]) -> Array:
        if self._rng is None:
            return _filled(shape, 0.0)
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
        padding = kernel // 2 if padding is None else padding
        op = ops.Conv2d((stride, stride), (padding,) * 4, groups=groups)
        parameters = {"weight": self._normal((filters, channels // groups, kernel, kernel))}
        return Layer(op, parameters | ({"bias": _filled((filters,), 0.0)} if bias else {}), name)

    def linear(self, name: str, features: int, outputs: int) -> Layer:
        """Return a dense layer."""
        parameters = {"weight": self._normal((outputs, features)), "bias": _filled((outputs,), 0.0)}
        return Layer(ops.Linear(), parameters, name)

    def batch_norm(self, name: str, channels: int) -> Layer:
        """Return a batch-norm that does nothing yet."""
        start = {"scale": 1.0, "shift": 0.0, "mean": 0.0, "var": 1.0}
        return Layer(ops.BatchNorm(), {key: _filled((channels,), value) for key, value in start.items()}, name)


def _filled(shape: tuple[int, ...], value: float) -> Array:
    """Return an array of equal numbers that takes no memory, however large it is."""
    return np.broadcast_to(np.float32(value), shape)
