"""Batch normalization with the statistics of training."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


@register
@frozen
class BatchNorm(Op):
    """Normalize each channel: ``y = (x - mean) / sqrt(var + eps) * scale + shift``.

    Shapes: x (N, C, H, W) or (N, C), scale, shift, mean, var (C,), y as x.

    Parameters
    ----------
    eps : float
        Added to the variance; at least 0.

    Raises
    ------
    GraphError
        If eps is negative or the shapes do not fit.

    Notes
    -----
    Equals ONNX BatchNormalization and ``torch.nn.BatchNorm2d`` in evaluation (scale is weight, shift is bias).

    Examples
    --------
    >>> BatchNorm().shape((16, 8, 8), (16,), (16,), (16,), (16,))
    (16, 8, 8)
    """

    name: ClassVar[str] = "batch_norm"
    parameters: ClassVar[tuple[str, ...]] = ("scale", "shift", "mean", "var")

    eps: float = 1e-5

    def __post_init__(self) -> None:
        if not self.eps >= 0:
            raise GraphError(f"eps of batch_norm must be at least 0, but is {self.eps}")

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        if len(x) not in (1, 3) or any(p != x[:1] for p in inputs[1:]):
            raise GraphError(
                f"batch_norm needs an input of shape (C, H, W) or (C,) and scale, shift, mean, var of shape (C,), "
                f"but got {x} with {list(inputs[1:])}"
            )
        return x

    def factors(self, scale: Array, shift: Array, mean: Array, var: Array) -> tuple[Array, Array]:
        """Return (a, b) with ``y = x * a + b``, each of shape (C,)."""
        factor = scale / np.sqrt(var + self.eps)
        return factor, shift - mean * factor

    def reference(self, *inputs: Array) -> Array:
        x, scale, shift, mean, var = inputs
        per_channel = (-1,) + (1,) * (x.ndim - 2)
        scale, shift, mean, var = (p.reshape(per_channel) for p in (scale, shift, mean, var))
        result: Array = (x - mean) / np.sqrt(var + self.eps) * scale + shift
        return result

    def cost(self, *inputs: Shape) -> Cost:
        elements = int(np.prod(inputs[0]))
        return Cost(elements, 2 * elements)
