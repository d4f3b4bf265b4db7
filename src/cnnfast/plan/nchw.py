"""Lowers each node to naive kernels: layout nchw, one image at a time, one rule for each op.

A `Fused` node becomes the steps of its base and then those of its tail, in place where possible.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.graph import Graph
from cnnfast.ops import Op
from cnnfast.plan.budget import PlanBudget
from cnnfast.plan.gather import pad_by_repeating, transpose_many_axes
from cnnfast.plan.lowering import (
    Lowering,
    LoweringRules,
    NodeIO,
    Triple,
    affine_parameters,
    around,
    broadcast_strides,
    numbered,
    packed,
    strides_of,
    three_axes,
    window_ints,
)
from cnnfast.plan.step import Step

REASON = "the textbook loop, image by image"

rule = LoweringRules()


class NchwLowering(Lowering):
    """Steps in layout nchw."""

    def emit(self, site: NodeIO, kernel: str, operands: tuple[str, ...], **options: Any) -> None:
        """Append one step of kernel ``<kernel>_f32_nchw_naive``."""
        reads = tuple(self.float32(v) if v in self.graph.constants else v for v in operands)
        name = f"{kernel}_f32_nchw_naive"
        self.append(Step(site.node, name, reads, site.result, reason=REASON, **options))


def lower_nchw(graph: Graph, budget: PlanBudget | None = None) -> NchwLowering:
    """Return the steps that compute a graph.

    Raises
    ------
    BudgetError
        If more memory would be taken than the budget allows.
    UnsupportedError
        If an op or a rank has no kernel; all such nodes are listed.
    """
    lowering = NchwLowering(graph, shapes=dict(graph.shapes), budget=budget or PlanBudget())
    rule.apply_all(lowering)
    for name in graph.outputs:
        if name in graph.constants:
            _copy_whole(lowering, NodeIO(name, (name,), name))
    return lowering


def _copy_whole(lowering: NchwLowering, site: NodeIO) -> None:
    block = (1, 1, lowering.size(site.result))
    lowering.emit(site, "copy", site.inputs, ints=_block(block, strides_of(block), strides_of(block)))


@rule(ops.Fused)
def _fused(lowering: NchwLowering, op: ops.Fused, site: NodeIO) -> None:
    parts = op.steps(*site.inputs)
    value = ""
    for index, (part, inputs) in enumerate(parts):
        reads = (value, *inputs) if index else inputs
        value = site.result if index == len(parts) - 1 else f"{site.result}:{index}"
        lowering.shapes[value] = part.shape(*(lowering.shapes[v] for v in reads))
        rule.apply(lowering, part, NodeIO(site.node, reads, value))


@rule(ops.Conv2d)
def _conv2d(lowering: NchwLowering, op: ops.Conv2d, site: NodeIO) -> None:
    (c, h, w), (oc, oh, ow) = lowering.shapes[site.inputs[0]], lowering.shapes[site.result]
    kh, kw = lowering.shapes[site.inputs[1]][2:]
    ints = dict(C=c, H=h, W=w, OC=oc, OH=oh, OW=ow, KH=kh, KW=kw, SH=op.stride[0], SW=op.stride[1])
    ints |= dict(PT=op.padding[0], PL=op.padding[1], DH=op.dilation[0], DW=op.dilation[1], groups=op.groups)
    lowering.emit(site, "conv2d", site.inputs[:1], ints=ints, parameters=lowering.parameters(site))


@rule(ops.Linear)
def _linear(lowering: NchwLowering, op: ops.Linear, site: NodeIO) -> None:
    outputs, features = lowering.shapes[site.inputs[1]]
    ints = dict(F=features, O=outputs)
    lowering.emit(site, "linear", site.inputs[:1], ints=ints, parameters=lowering.parameters(site))


@rule(ops.MaxPool)
def _max_pool(lowering: NchwLowering, op: ops.MaxPool, site: NodeIO) -> None:
    lowering.emit(site, "max_pool", site.inputs, ints=_window(lowering, op, site))


@rule(ops.AvgPool)
def _avg_pool(lowering: NchwLowering, op: ops.AvgPool, site: NodeIO) -> None:
    _, h, w = lowering.shapes[site.inputs[0]]
    divisors = packed(op.divisors(h, w))
    lowering.emit(site, "avg_pool", site.inputs, ints=_window(lowering, op, site), parameters=(divisors,))


def _window(lowering: NchwLowering, op: ops.MaxPool | ops.AvgPool, site: NodeIO) -> dict[str, int]:
    return window_ints(op, lowering.shapes[site.inputs[0]], lowering.shapes[site.result])


@rule(ops.GlobalAvgPool, ops.GlobalMaxPool)
def _global_pool(lowering: NchwLowering, op: Op, site: NodeIO) -> None:
    lowering.emit(site, op.name, site.inputs, ints=_per_channel(lowering, site))


def _per_channel(lowering: NchwLowering, site: NodeIO) -> dict[str, int]:
    shape = lowering.shapes[site.inputs[0]]
    return dict(C=shape[0], HW=math.prod(shape[1:]))


@rule(ops.BatchNorm)
def _batch_norm(lowering: NchwLowering, op: ops.BatchNorm, site: NodeIO) -> None:
    parameters = affine_parameters(op, site, lowering.graph.constants)
    ints = _per_channel(lowering, site)
    lowering.emit(site, "affine", site.inputs[:1], ints=ints, parameters=parameters, in_place=True)


@rule(ops.PRelu)
def _prelu(lowering: NchwLowering, op: ops.PRelu, site: NodeIO) -> None:
    ints = _per_channel(lowering, site)
    slope = packed(np.broadcast_to(lowering.graph.constants[site.inputs[1]], (ints["C"],)))
    lowering.emit(site, "prelu", site.inputs[:1], ints=ints, parameters=(slope,), in_place=True)


@rule(ops.Activation)
def _activation(lowering: NchwLowering, op: ops.Activation, site: NodeIO) -> None:
    kernel = "gelu_tanh" if isinstance(op, ops.Gelu) and op.approximate == "tanh" else op.name
    floats = op.attributes() if isinstance(op, ops.Clip | ops.LeakyRelu | ops.Elu | ops.HardSigmoid) else {}
    count = math.prod(lowering.shapes[site.result])
    lowering.emit(site, kernel, site.inputs[:1], ints=dict(count=count), floats=floats, in_place=True)


@rule(ops.Softmax, ops.LogSoftmax)
def _softmax(lowering: NchwLowering, op: ops.Softmax | ops.LogSoftmax, site: NodeIO) -> None:
    outer, size, inner = around(lowering.shapes[site.result], op.axis)
    ints = dict(outer=outer, K=size, inner=inner)
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=True)


@rule(ops.Binary)
def _arithmetic(lowering: NchwLowering, op: Op, site: NodeIO) -> None:
    whole = three_axes(lowering.shapes[site.result])
    shapes = [three_axes(lowering.shapes[v]) for v in site.inputs]
    a, b = (broadcast_strides(strides_of(shape), shape, whole) for shape in shapes)
    y = strides_of(whole)
    ints = dict(zip("ABC", whole, strict=True)) | numbered(a=a, b=b) | dict(y0=y[0], y1=y[1])
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=a == y)


def _block(shape: Triple, source: Triple, target: Triple, at: int = 0) -> dict[str, int]:
    """Return the geometry of a copy."""
    return dict(zip("ABC", shape, strict=True)) | numbered(a=source, y=target) | {"at": at}


@rule(ops.Concat)
def _concat(lowering: NchwLowering, op: ops.Concat, site: NodeIO) -> None:
    outer, total, inner = around(lowering.shapes[site.result], op.axis)
    start = 0
    for value in site.inputs:
        size = lowering.shapes[value][op.axis - 1]
        block = (outer, size, inner)
        ints = _block(block, strides_of(block), (total * inner, inner, 1), at=start * inner)
        lowering.emit(site, "copy", (value,), ints=ints)
        start += size


@rule(ops.Pad)
def _pad(lowering: NchwLowering, op: ops.Pad, site: NodeIO) -> None:
    if op.mode != "constant":
        pad_by_repeating(lowering, op, site)
        return
    source = three_axes(lowering.shapes[site.inputs[0]])
    target = three_axes(lowering.shapes[site.result])
    lowering.emit(site, "fill", (), ints=dict(count=math.prod(target)), floats=dict(value=op.value))
    front = op.channels[0] * target[1] * target[2]
    at = front + op.padding[0] * target[2] + op.padding[1]
    lowering.emit(site, "copy", site.inputs, ints=_block(source, strides_of(source), strides_of(target), at))


@rule(ops.Transpose)
def _transpose(lowering: NchwLowering, op: ops.Transpose, site: NodeIO) -> None:
    if len(op.order) > 4:
        transpose_many_axes(lowering, op, site)
        return
    source = lowering.shapes[site.inputs[0]]
    strides = [math.prod(source[i + 1 :]) for i in range(len(source))]
    moved = [strides[axis - 1] for axis in op.order[1:]]
    a, b, c = [0] * (3 - len(moved)) + moved
    target = three_axes(lowering.shapes[site.result])
    lowering.emit(site, "copy", site.inputs, ints=_block(target, (a, b, c), strides_of(target)))


@rule(ops.Lrn)
def _lrn(lowering: NchwLowering, op: ops.Lrn, site: NodeIO) -> None:
    ints = _per_channel(lowering, site) | dict(size=op.size)
    lowering.emit(site, "lrn", site.inputs, ints=ints, floats=dict(alpha=op.alpha, beta=op.beta, bias=op.bias))


@rule(ops.Flatten, ops.Reshape, ops.Identity, ops.Dropout)
def _alias(lowering: NchwLowering, op: Op, site: NodeIO) -> None:
    (source,) = site.inputs
    if source in lowering.graph.constants:
        _copy_whole(lowering, site)
    else:
        lowering.aliases[site.result] = source
