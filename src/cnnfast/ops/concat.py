"""Joining values along an axis."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


@register
@frozen
class Concat(Op):
    """Join values along one axis, by default the channels.

    Shapes: x_i (N, C_i, H, W) or (N, F_i), y the same with the sizes along ``axis`` added up; it counts from N = 0.

    Raises
    ------
    GraphError
        If the axis is out of range or another size differs.

    Notes
    -----
    Equals ONNX Concat and ``torch.cat``.

    Examples
    --------
    >>> Concat().shape((16, 8, 8), (32, 8, 8))
    (48, 8, 8)
    """

    name: ClassVar[str] = "concat"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True
    data: ClassVar[tuple[str, ...]] = ("*xs",)

    axis: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        first, at = inputs[0], self.axis - 1
        if not 0 <= at < len(first):
            raise GraphError(f"axis of concat must be from 1 to {len(first)} for shape {first}, but is {self.axis}")
        for other in inputs[1:]:
            if len(other) != len(first) or other[:at] + other[at + 1 :] != first[:at] + first[at + 1 :]:
                raise GraphError(f"concat along axis {self.axis} needs all other sizes equal, but got {list(inputs)}")
        return (*first[:at], sum(s[at] for s in inputs), *first[at + 1 :])

    def reference(self, *inputs: Array) -> Array:
        images = max(len(x) for x in inputs)
        whole = [np.broadcast_to(x, (images, *x.shape[1:])) for x in inputs]
        return np.concatenate(whole, axis=self.axis)

    def cost(self, *inputs: Shape) -> Cost:
        return Cost()
