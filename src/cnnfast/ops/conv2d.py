"""Two-dimensional convolution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, need_chw, pair, register, set_field, sides
from cnnfast.ops.windows import windows


@register
@frozen
class Conv2d(Op):
    """Cross-correlate each image with OC filters.

    ``y[n,o,i,j] = b[o] + sum_{c,p,q} w[o,c,p,q] * x[n, g*C/groups + c, i*SH + p*DH - PT, j*SW + q*DW - PL]`` with g the
    group of o and x zero outside the image.

    Shapes: x (N, C, H, W), weight (OC, C / groups, KH, KW), bias (OC,), y (N, OC, OH, OW) with
    ``OH = (H + PT + PB - DH * (KH - 1) - 1) // SH + 1``. Depthwise is ``groups = C``.

    Parameters
    ----------
    stride, dilation : int or (vertical, horizontal)
    padding : int, (vertical, horizontal) or (top, left, bottom, right)
    groups : int

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not fit.

    Notes
    -----
    Equals ONNX Conv and ``torch.nn.functional.conv2d``. One image costs ``OC*OH*OW*KH*KW*C/groups`` multiply-adds.

    Examples
    --------
    >>> Conv2d(padding=1).shape((3, 32, 32), (16, 3, 3, 3))
    (16, 32, 32)
    """

    name: ClassVar[str] = "conv2d"
    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias?")

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        set_field(self, "stride", pair(self.name, "stride", self.stride, least=1))
        set_field(self, "dilation", pair(self.name, "dilation", self.dilation, least=1))
        set_field(self, "padding", sides(self.name, self.padding))
        if self.groups < 1:
            raise GraphError(f"groups of conv2d must be at least 1, but is {self.groups}")

    def shape(self, *inputs: Shape) -> Shape:
        c, h, w = need_chw(self.name, inputs[0])
        oc, kh, kw = self._check_weight(c, inputs[1])
        if len(inputs) > 2 and inputs[2] != (oc,):
            raise GraphError(f"conv2d with {oc} filters needs a bias of shape ({oc},), but it is {inputs[2]}")
        top, left, bottom, right = self.padding
        oh = (h + top + bottom - self.dilation[0] * (kh - 1) - 1) // self.stride[0] + 1
        ow = (w + left + right - self.dilation[1] * (kw - 1) - 1) // self.stride[1] + 1
        return oc, oh, ow

    def _check_weight(self, c: int, weight: Shape) -> tuple[int, int, int]:
        if len(weight) != 4 or min(weight) < 1:
            raise GraphError(f"conv2d needs a weight of shape (OC, C / groups, KH, KW), but it is {weight}")
        oc, per_group, kh, kw = weight
        if per_group * self.groups != c or oc % self.groups:
            raise GraphError(
                f"conv2d with groups={self.groups} on {c} channels needs a weight of shape "
                f"(a multiple of {self.groups}, {c} / {self.groups}, KH, KW), but it is {weight}"
            )
        return oc, kh, kw

    def reference(self, *inputs: Array) -> Array:
        x, weight = inputs[0], inputs[1]
        oc, per_group, kh, kw = weight.shape
        view = windows(x, (kh, kw), self.stride, self.padding, self.dilation, fill=0)
        n, _, oh, ow = view.shape[:4]
        view = view.reshape(n, self.groups, per_group, oh, ow, kh, kw)
        filters = weight.reshape(self.groups, oc // self.groups, per_group, kh, kw)
        y: Array = np.einsum("ngchwpq,gocpq->ngohw", view, filters, optimize=True).reshape(n, oc, oh, ow)
        return y + inputs[2][:, None, None] if len(inputs) > 2 else y

    def cost(self, *inputs: Shape) -> Cost:
        oc, oh, ow = self.shape(*inputs)
        _, per_group, kh, kw = inputs[1]
        macs = oc * oh * ow * per_group * kh * kw
        return Cost(macs, 2 * macs)
