"""Local response normalization, the contrast rule of AlexNet."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import LIMIT, Array, Cost, Op, Shape, check_work, need_chw, register


@register
@frozen
class Lrn(Op):
    """Divide each element by a power of the energy of its neighbor channels.

    ``y[n,c] = x[n,c] / (bias + alpha / size * sum_k x[n,k]**2) ** beta`` over the channels
    ``max(0, c - (size - 1) // 2) <= k <= min(C - 1, c + size // 2)``.

    Shapes: x (N, C, H, W), y as x.

    Parameters
    ----------
    size : int
        Channels in the window, from 1 to 2**20.
    alpha, beta, bias : float

    Raises
    ------
    GraphError
        If size is out of range or the input is not (C, H, W).

    Notes
    -----
    Equals ONNX LRN. ``torch.nn.LocalResponseNorm`` takes the mirrored window, ``size // 2`` channels before: the same
    for odd sizes. Krizhevsky et al., 2012, section 3.3.

    Examples
    --------
    >>> Lrn(size=5).shape((16, 8, 8))
    (16, 8, 8)
    """

    name: ClassVar[str] = "lrn"

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LIMIT:
            raise GraphError(f"size of lrn must be from 1 to {LIMIT}, but is {self.size}")

    def shape(self, *inputs: Shape) -> Shape:
        c, h, w = need_chw(self.name, inputs[0])
        check_work(self.name, c * h * w * min(self.size, c), inputs[0])
        return c, h, w

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        energy = np.empty_like(x)
        for c in range(x.shape[1]):
            first, last = max(0, c - (self.size - 1) // 2), min(x.shape[1] - 1, c + self.size // 2)
            energy[:, c] = (x[:, first : last + 1] ** 2).sum(axis=1)
        result: Array = x / (self.bias + self.alpha / self.size * energy) ** self.beta
        return result

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=(2 * min(self.size, inputs[0][0]) + 4) * math.prod(inputs[0]))
