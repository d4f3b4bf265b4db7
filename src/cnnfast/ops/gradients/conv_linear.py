"""Gradients of convolution and of the dense layer."""

from __future__ import annotations

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.conv2d import Conv2d
from cnnfast.ops.gradients.base import Gradients, gradient_of, over_channels
from cnnfast.ops.linear import Linear
from cnnfast.ops.windows import windows


@gradient_of(Linear)
def _linear(op: Linear, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x, weight = inputs[:2]
    return dy @ weight, dy.T @ x, *((dy.sum(axis=0),) if len(inputs) > 2 else ())


@gradient_of(Conv2d)
def _conv2d(op: Conv2d, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x, weight = inputs[:2]
    oc, per_group, kh, kw = weight.shape
    n, _, oh, ow = dy.shape
    view = windows(x, (kh, kw), op.stride, op.padding, op.dilation, fill=0)
    view = view.reshape(n, op.groups, per_group, oh, ow, kh, kw)
    grouped = dy.reshape(n, op.groups, oc // op.groups, oh, ow)
    dweight = np.einsum("ngohw,ngchwpq->gocpq", grouped, view, optimize=True).reshape(weight.shape)
    dx = _input_gradient(op, x.shape, weight, grouped)
    return dx, dweight, *((over_channels(dy),) if len(inputs) > 2 else ())


def _input_gradient(op: Conv2d, shape: tuple[int, ...], weight: Array, dy: Array) -> Array:
    """Add what each product passes back to the pixels that it read; dy is (N, groups, OC / groups, OH, OW)."""
    n, c, h, w = shape
    oc, per_group, kh, kw = weight.shape
    oh, ow = dy.shape[3:]
    top, left, bottom, right = op.padding
    filters = weight.reshape(op.groups, oc // op.groups, per_group, kh, kw)
    padded = np.zeros((n, c, top + h + bottom, left + w + right), dy.dtype)
    for p in range(kh):
        for q in range(kw):
            rows = slice(p * op.dilation[0], p * op.dilation[0] + (oh - 1) * op.stride[0] + 1, op.stride[0])
            cols = slice(q * op.dilation[1], q * op.dilation[1] + (ow - 1) * op.stride[1] + 1, op.stride[1])
            part = np.einsum("ngohw,goc->ngchw", dy, filters[..., p, q], optimize=True)
            padded[:, :, rows, cols] += part.reshape(n, c, oh, ow)
    return padded[:, :, top : top + h, left : left + w]
