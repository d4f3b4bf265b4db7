"""Pools."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.operators.windows import window, with_rows, without_rows
from cnnfast.formats.onnx.values import OnnxImages
from cnnfast.ops import Abs, AvgPool, MaxPool, Mul, Op, ReduceMax, ReduceMean, ReduceSum, Sqrt
from cnnfast.ops.reduce import simplest


@operator("MaxPool", "AveragePool")
def pool(call: NodeCall) -> OnnxImages:
    """Take the largest or the mean of each window."""
    return pooled(call, call.images(0))


def pooled(call: NodeCall, images: OnnxImages) -> OnnxImages:
    """Emit a pool with the attributes of a node."""
    rank = len(images.shape)
    x = with_rows(call, images)
    w = window(call, call.integers("kernel_shape"), x.shape)
    # with auto_pad the number of windows is stated, so nothing is left over
    ceil_mode = bool(call.integer("ceil_mode", 0)) and call.text("auto_pad", "NOTSET") == "NOTSET"
    op: Op
    if call.kind == "MaxPool":
        # the order of the second result, which is not computed
        call.ignore("storage_order")
        op = MaxPool(w.kernel, w.stride, w.padding, w.dilation, ceil_mode)
    else:
        counted = bool(call.integer("count_include_pad", 0))
        op = AvgPool(w.kernel, w.stride, w.padding, w.dilation, ceil_mode, counted)
    return without_rows(call, call.emit(op, x), rank)


@operator("LpPool", "GlobalLpPool")
def lp_pool(call: NodeCall) -> OnnxImages:
    """Take the sum of absolute values, or the root of the energy, of each window or channel."""
    x, power = call.images(0), call.integer("p", 2)
    if power not in (1, 2) or call.integer("ceil_mode", 0):
        raise UnsupportedError(f"p={power} or ceil_mode; p 1 and 2 are run")
    parts = call.emit(Abs(), x) if power == 1 else call.emit(Mul(), x, x)
    if call.kind == "GlobalLpPool":
        total = call.emit(ReduceSum(tuple(range(2, len(x.shape) + 1))), parts)
    else:
        rows = with_rows(call, parts)
        w = window(call, call.integers("kernel_shape"), rows.shape)
        mean = call.emit(AvgPool(w.kernel, w.stride, w.padding, w.dilation, False, True), rows)
        total = call.emit(Mul(), mean, np.asarray(float(math.prod(w.kernel))))
        total = without_rows(call, total, len(x.shape))
    return total if power == 1 else call.emit(Sqrt(), total)


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: NodeCall) -> OnnxImages:
    """Take the mean or the largest of each channel."""
    x = call.images(0)
    return channel_mean(call, x) if call.kind == "GlobalAveragePool" else call.emit(_over_pixels(ReduceMax, x), x)


def channel_mean(call: NodeCall, x: OnnxImages) -> OnnxImages:
    """Emit the mean of each channel."""
    return call.emit(_over_pixels(ReduceMean, x), x)


def _over_pixels(kind: type[ReduceMean] | type[ReduceMax], x: OnnxImages) -> Op:
    if len(x.shape) < 2:
        raise UnsupportedError(f"images of shape {x.shape}, which have no pixels")
    return simplest(kind(tuple(range(2, len(x.shape) + 1))), x.shape)
