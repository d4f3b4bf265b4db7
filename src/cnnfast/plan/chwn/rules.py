"""Images in the lanes: the rules of all ops that are not layers with a matrix of weights."""

from __future__ import annotations

import math
from typing import Any

from cnnfast import ops
from cnnfast.ops import Op
from cnnfast.plan.chwn.values import ChwnLowering, activation_options, copy_ints, copy_value, rule
from cnnfast.plan.gather import pad_by_repeating, transpose_many_axes
from cnnfast.plan.lowering import (
    NodeIO,
    around,
    broadcast_strides,
    numbered,
    packed,
    strides_of,
    three_axes,
    window_ints,
)


@rule(ops.MaxPool, ops.AvgPool)
def _pool(lowering: ChwnLowering, op: ops.MaxPool | ops.AvgPool, site: NodeIO) -> None:
    source = lowering.shapes[site.inputs[0]]
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    ints = window_ints(op, lowering.extent(site.inputs[0]), lowering.extent(site.result))
    ints |= dict(x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])
    divisors = (packed(op.divisors(*source[1:])),) if isinstance(op, ops.AvgPool) else ()
    lowering.emit(site, op.name, site.inputs, ints=ints, parameters=divisors)


@rule(ops.GlobalAvgPool, ops.GlobalMaxPool)
def _global_pool(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    c, h, w = lowering.extent(site.inputs[0])
    x = lowering.strides(site.inputs[0])
    channel = lowering.channel_stride(site.result)
    lowering.emit(site, op.name, site.inputs, ints=dict(C=c, H=h, W=w, x_c=x[0], x_r=x[1], y_c=channel))


@rule(ops.BatchNorm)
def _batch_norm(lowering: ChwnLowering, op: ops.BatchNorm, site: NodeIO) -> None:
    options: dict[str, Any] = dict(parameters=lowering.factors(op, site), in_place=lowering.same_place(site))
    lowering.emit(site, "affine", site.inputs[:1], ints=lowering.channels(site), **options)


@rule(ops.PRelu)
def _prelu(lowering: ChwnLowering, op: ops.PRelu, site: NodeIO) -> None:
    ints = lowering.channels(site)
    slopes = lowering.per_channel(site.inputs[1], ints["C"])
    lowering.emit(site, "prelu", site.inputs[:1], ints=ints, parameters=(slopes,), in_place=lowering.same_place(site))


@rule(ops.Activation)
def _activation(lowering: ChwnLowering, op: ops.Activation, site: NodeIO) -> None:
    act, floats = activation_options(op)
    ints = lowering.rows(site) | dict(act=act)
    lowering.emit(site, "activate", site.inputs[:1], ints=ints, floats=floats, in_place=lowering.same_place(site))


@rule(ops.Softmax, ops.LogSoftmax)
def _softmax(lowering: ChwnLowering, op: ops.Softmax | ops.LogSoftmax, site: NodeIO) -> None:
    shape = lowering.shapes[site.result]
    if len(shape) > 3:
        # values of more axes have no border
        before, size, behind = around(shape, op.axis)
        strides = (size * behind, 1, behind)
        ints = dict(A=before, B=behind, K=size) | numbered(x=strides, y=strides)
    else:
        axis = op.axis - 1 + 3 - len(shape)
        order = (*(i for i in range(3) if i != axis), axis)
        whole = (three_axes(shape)[i] for i in order)
        x, y = (tuple(lowering.strides(v)[i] for i in order) for v in (site.inputs[0], site.result))
        ints = dict(zip("ABK", whole, strict=True)) | numbered(x=x, y=y)  # type: ignore[arg-type]
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=lowering.same_place(site))


@rule(ops.Binary)
def _arithmetic(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    whole = three_axes(lowering.shapes[site.result])
    shapes = [three_axes(lowering.shapes[v]) for v in site.inputs]
    own = [
        strides_of(s) if v in lowering.graph.constants else lowering.strides(v)
        for v, s in zip(site.inputs, shapes, strict=True)
    ]
    a, b = (broadcast_strides(t, s, whole) for t, s in zip(own, shapes, strict=True))
    y = lowering.strides(site.result)
    if a == b == y == strides_of(whole):
        whole = (1, 1, math.prod(whole))
    ints = dict(zip("ABC", whole, strict=True)) | numbered(a=a, b=b) | dict(y0=y[0], y1=y[1])
    in_place = site.inputs[0] not in lowering.graph.constants and a == y and lowering.same_place(site)
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=in_place)


@rule(ops.Concat)
def _concat(lowering: ChwnLowering, op: ops.Concat, site: NodeIO) -> None:
    target = lowering.strides(site.result)
    axis = op.axis - 1 + 3 - len(lowering.shapes[site.result])
    start = 0
    for value in site.inputs:
        shape = three_axes(lowering.shapes[value])
        ints = copy_ints(shape, lowering.strides(value), target, at=start * target[axis])
        lowering.emit(site, "copy", (value,), ints=ints)
        start += shape[axis]


@rule(ops.Pad)
def _pad(lowering: ChwnLowering, op: ops.Pad, site: NodeIO) -> None:
    if op.mode != "constant":
        pad_by_repeating(lowering, op, site)
        return
    (c, h, w), y = lowering.extent(site.result), lowering.strides(site.result)
    ints = dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1])
    lowering.emit(site, "fill", (), ints=ints, floats=dict(value=op.value))
    source = lowering.extent(site.inputs[0])
    at = op.channels[0] * y[0] + op.padding[0] * y[1] + op.padding[1]
    lowering.emit(site, "copy", site.inputs, ints=copy_ints(source, lowering.strides(site.inputs[0]), y, at))


@rule(ops.Transpose)
def _transpose(lowering: ChwnLowering, op: ops.Transpose, site: NodeIO) -> None:
    if len(op.order) > 4:
        transpose_many_axes(lowering, op, site)
        return
    source = lowering.strides(site.inputs[0])
    missing = 3 - len(lowering.shapes[site.inputs[0]])
    moved = [source[axis - 1 + missing] for axis in op.order[1:]]
    a, b, c = [0] * missing + moved
    target = three_axes(lowering.shapes[site.result])
    lowering.emit(site, "copy", site.inputs, ints=copy_ints(target, (a, b, c), lowering.strides(site.result)))


@rule(ops.Lrn)
def _lrn(lowering: ChwnLowering, op: ops.Lrn, site: NodeIO) -> None:
    ints = lowering.channels(site) | dict(size=op.size)
    floats = dict(alpha=op.alpha, beta=op.beta, bias=op.bias)
    lowering.emit(site, "lrn", site.inputs, ints=ints, floats=floats, workspace=ints["W"])


@rule(ops.Flatten, ops.Reshape, ops.Identity, ops.Dropout)
def _alias(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    """Give a value a new shape: at no cost if it has no border, else by copies."""
    (source,) = site.inputs
    if source in lowering.halos:
        compact = f"{site.result}<{source}"
        lowering.shapes[compact] = lowering.shapes[source]
        copy_value(lowering, NodeIO(site.node, (source,), compact))
        source = compact
    if site.result in lowering.halos:
        reshaped = f"{site.result}:reshaped"
        lowering.shapes[reshaped] = lowering.shapes[site.result]
        lowering.aliases[reshaped] = source
        copy_value(lowering, NodeIO(site.node, (reshaped,), site.result))
    else:
        lowering.aliases[site.result] = source
