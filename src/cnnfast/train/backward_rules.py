"""Backwards through everything that is no layer with a matrix of weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Node
from cnnfast.ops import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    LogSoftmax,
    Lrn,
    MaxPool,
    Mul,
    Op,
    Pad,
    PRelu,
    Reshape,
    Softmax,
    Transpose,
)
from cnnfast.plan.lanes_base import NO_HALO, activation_options, copy_ints
from cnnfast.plan.lanes_base import rule as plan_rule
from cnnfast.plan.lowering import (
    Site,
    Triple,
    broadcast_strides,
    numbered,
    packed,
    strides_of,
    three_axes,
    window_ints,
)
from cnnfast.train.backward_layers import rule
from cnnfast.train.fusion import BY_RESULT, only_reader
from cnnfast.train.lowering import Norm, TrainingLowering, grad


def _node(low: TrainingLowering, site: Site) -> tuple[Node, str, str]:
    """Return the node, its first input, and the gradient of its result."""
    node = low.graph.by_name[site.node]
    return node, node.inputs[0], grad(node.name)


@rule(Activation)
def _activation(low: TrainingLowering, op: Activation, site: Site) -> None:
    node, x, dy = _node(low, site)
    if _is_masked(low, node):
        low.started.add(x)
        return
    act, floats = activation_options(op)
    known = low.seen(node.name if isinstance(op, BY_RESULT) else x)

    def emit(target: str, add: bool) -> None:
        ints = low.rows_of(target, known, dy, target) | dict(act=act)
        low.emit(Site(node.name, (known, dy), target), "activate_back", (known, dy), ints=ints, floats=floats)

    low.contribute(node, x, emit)


def _is_masked(low: TrainingLowering, node: Node) -> bool:
    """Tell whether a ReLU stands right behind a batch-norm that trains, whose own step back begins with it."""
    ending = low.endings.get(node.inputs[0])
    return ending is not None and node.inputs[0] in low.buffers and ending.nodes == (node,)


@rule(PRelu)
def _prelu(low: TrainingLowering, op: PRelu, site: Site) -> None:
    node, x, dy = _node(low, site)
    slope = node.inputs[1]
    shared = low.shapes[slope] == (1,)

    def emit(target: str, add: bool) -> None:
        ints = low.window(x, x, dy, target) | dict(slope_c=0 if shared else 1)
        numbers = packed(np.broadcast_to(low.numbers(slope), (ints["C"],)))
        if low.is_active(slope):
            low.partial(slope)
            low.seconds[len(low.steps)] = grad(slope)
        low.emit(
            Site(node.name, (x, dy), target),
            "leaky_back",
            (x, dy),
            ints=ints,
            parameters=(low.gathered(slope, numbers),),
            workspace=ints["C"],
        )

    if low.is_active(x):
        low.contribute(node, x, emit)
    else:
        low.shapes[spare := f"{grad(x)}:spare"] = low.shapes[x]
        emit(spare, False)


@rule(BatchNorm)
def _batch_norm(low: TrainingLowering, op: BatchNorm, site: Site) -> None:
    node, x, dy = _node(low, site)
    if node.name not in low.buffers:
        _affine_back(low, op, node)
        return
    buffers = low.buffers[node.name]
    sums = f"{dy}:sums"
    low.shapes[sums] = (low.shapes[x][0], 2)
    reader = only_reader(low.graph, node)
    ints = low.window(x, x, dy) | dict(relu=int(reader is not None and _is_masked(low, reader)))
    low.emit(Site(node.name, (x, dy), sums), "norm_sums", (x, dy), ints=ints, parameters=(buffers["front"],))
    low.cut(Norm(node.name, True, sums))

    def emit(target: str, add: bool) -> None:
        reads = (x, dy, LIVE)
        low.emit(
            Site(node.name, reads, target),
            "norm_back",
            reads,
            ints=low.window(x, x, dy, target),
            parameters=(buffers["back"],),
        )

    if low.is_active(x):
        low.contribute(node, x, emit)


LIVE = "live"
"""A value of one vector: 1 for each image, 0 for the lanes beyond the last one."""


def _affine_back(low: TrainingLowering, op: BatchNorm, node: Node) -> None:
    """Emit the way back through a batch-norm with its running averages: a factor for each channel."""
    dy = grad(node.name)

    def emit(target: str, add: bool) -> None:
        low.forward(Scale(op.eps), Site(node.name, (dy, *node.inputs[1:]), target))

    low.contribute(node, node.inputs[0], emit)


class Scale(BatchNorm):
    """Batch-norm without its shift; no op of a graph, only a rule of the lowering."""

    def factors(self, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, var: np.ndarray) -> tuple:  # type: ignore[type-arg]
        factor = scale / np.sqrt(var + self.eps)
        return factor, np.zeros_like(factor)


@rule(MaxPool, AvgPool)
def _pool(low: TrainingLowering, op: MaxPool | AvgPool, site: Site) -> None:
    node, x, _ = _node(low, site)
    source, target_shape = low.shapes[x], low.shapes[node.name]

    def emit(target: str, add: bool) -> None:
        if not add:
            low.fill(node.name, target)
        ints = window_ints(op, source, target_shape)
        _pool_back(low, node, op, target, ints)

    low.contribute(node, x, emit, adds=True)


def _pool_back(low: TrainingLowering, node: Node, op: Op, target: str, ints: dict[str, int]) -> None:
    x, dy = low.seen(node.inputs[0]), grad(node.name)
    for prefix, value in (("x", x), ("y", node.name), ("dy", dy), ("dx", target)):
        own = low.strides(value) if len(low.shapes[value]) == 3 else (1, 1, 1)
        ints = ints | {f"{prefix}_c": own[0], f"{prefix}_r": own[1]}
    if isinstance(op, AvgPool):
        divisors = packed(op.divisors(*low.shapes[x][1:]))
        low.emit(Site(node.name, (dy,), target), "avg_pool_back", (dy,), ints=ints, parameters=(divisors,))
    else:
        reads = (dy, x, node.name)
        low.emit(Site(node.name, reads, target), "max_pool_back", reads, ints=ints)


@rule(GlobalMaxPool)
def _global_max_pool(low: TrainingLowering, op: GlobalMaxPool, site: Site) -> None:
    node, x, _ = _node(low, site)
    c, h, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        if not add:
            low.fill(node.name, target)
        ints = dict(C=c, H=h, W=w, OH=1, OW=1, KH=h, KW=w, SH=1, SW=1, PT=0, PL=0, DH=1, DW=1)
        _pool_back(low, node, op, target, ints)

    low.contribute(node, x, emit, adds=True)


@rule(GlobalAvgPool)
def _global_avg_pool(low: TrainingLowering, op: GlobalAvgPool, site: Site) -> None:
    node, x, dy = _node(low, site)
    c, h, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        y = low.strides(target)
        channel = low.strides(dy)[0] if len(low.shapes[dy]) == 3 else 1
        ints = dict(C=c, H=h, W=w, dy_c=channel, y_c=y[0], y_r=y[1])
        low.emit(Site(node.name, (dy,), target), "global_avg_pool_back", (dy,), ints=ints, workspace=1)

    low.contribute(node, x, emit)


@rule(Add, Mul)
def _arithmetic(low: TrainingLowering, op: Op, site: Site) -> None:
    node = low.graph.by_name[site.node]
    for index, value in enumerate(node.inputs):
        if low.is_active(value):
            if isinstance(op, Add) and value not in low.started and _shares(low, node, value, node.inputs[1 - index]):
                low.started.add(value)
                low.aliases[grad(value)] = grad(node.name)
                continue
            other = node.inputs[1 - index] if isinstance(op, Mul) else None
            low.contribute(node, value, _product(low, node, value, other), adds=True)


def _shares(low: TrainingLowering, add: Node, value: str, other: str) -> bool:
    """Tell whether the gradient of an operand can lie where that of the sum lies.

    It can if the other operand comes from a batch-norm, which only reads that gradient, and is done before anything is
    added to that of ``value``: all other readers of ``value``, and what made it, stand before that batch-norm.
    """
    graph = low.graph
    if graph.shapes[value] != graph.shapes[add.name] or any(low.halo(grad(v)) != NO_HALO for v in (value, add.name)):
        return False
    if value == other or (low.is_active(other) and not _is_read_only(low, other)):
        return _is_read_only(low, value) and value != other
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    before = [order[node.name] for node in graph.consumers[value] if node is not add] + [order.get(value, -1)]
    return _is_read_only(low, value) or (low.is_active(other) and max(before) < order[other])


def _is_read_only(low: TrainingLowering, value: str) -> bool:
    """Tell whether a value is made by a batch-norm that trains, and read once: nothing writes to its gradient."""
    return value in low.buffers and low.contributions[value] == 1


def _product(low: TrainingLowering, node: Node, value: str, other: str | None) -> Callable[[str, bool], None]:
    """Return what emits the gradient of one operand, summed over the axes along which the operand was repeated."""
    dy = grad(node.name)
    whole = three_axes(low.shapes[node.name])

    def own(name: str) -> Triple:
        shape = three_axes(low.shapes[name])
        strides = strides_of(shape) if name in low.graph.constants else low.strides(name)
        return broadcast_strides(strides, shape, whole)

    def emit(target: str, add: bool) -> None:
        if other is None and low.shapes[value] == low.shapes[node.name] and not add:
            low.copy(node.name, dy, target)
            return
        if not add:
            low.fill(node.name, target)
        reads = (dy,) if other is None else (dy, other)
        groups = dict(a=own(dy), y=own(target)) if other is None else dict(a=own(dy), b=own(other), y=own(target))
        kernel = "accumulate" if other is None else "multiply_add"
        ints = dict(zip("ABC", whole, strict=True)) | numbered(**groups)
        low.emit(Site(node.name, reads, target), kernel, reads, ints=ints)

    return emit


@rule(Concat)
def _concat(low: TrainingLowering, op: Concat, site: Site) -> None:
    node = low.graph.by_name[site.node]
    axis = op.axis - 1 + 3 - len(low.shapes[node.name])
    sizes = [three_axes(low.shapes[v])[axis] for v in node.inputs]
    for value, start in zip(node.inputs, itertools.accumulate([0, *sizes[:-1]]), strict=True):
        if low.is_active(value):
            low.contribute(node, value, _part(low, node, start * low.strides(grad(node.name))[axis]))


def _part(low: TrainingLowering, node: Node, at: int) -> Callable[[str, bool], None]:
    """Return what emits a copy of the part of a node's gradient that starts at a place."""

    def emit(target: str, add: bool) -> None:
        dy, start = grad(node.name), at
        shape, a, y = three_axes(low.shapes[target]), low.strides(dy), low.strides(target)
        ints = copy_ints(shape, a, y)
        low.emit(Site(node.name, (dy,), target), "copy", (dy,), ints=ints)
        low.shifts[len(low.steps) - 1] = start

    return emit


@rule(Pad)
def _pad(low: TrainingLowering, op: Pad, site: Site) -> None:
    node, x, dy = _node(low, site)
    if op.mode != "constant":
        raise UnsupportedError(f"there is no kernel for the gradient of pad in mode {op.mode}")
    y = low.strides(dy)
    low.contribute(node, x, _part(low, node, op.channels[0] * y[0] + op.padding[0] * y[1] + op.padding[1]))


@rule(Transpose)
def _transpose(low: TrainingLowering, op: Transpose, site: Site) -> None:
    node, x, dy = _node(low, site)
    back = Transpose(tuple(int(i) for i in np.argsort(op.order)))
    low.contribute(node, x, lambda target, add: plan_rule.apply(low, back, Site(node.name, (dy,), target)))


@rule(Flatten, Reshape, Identity)
def _reshape(low: TrainingLowering, op: Op, site: Site) -> None:
    node, x, dy = _node(low, site)

    def emit(target: str, add: bool) -> None:
        if low.contributions[x] == 1:
            plan_rule.apply(low, Identity(), Site(node.name, (dy,), target))
        else:
            low.shapes[moved := f"{dy}:moved"] = low.shapes[x]
            plan_rule.apply(low, Identity(), Site(node.name, (dy,), moved))
            low.copy(node.name, moved, target)

    low.contribute(node, x, emit)


@rule(Dropout)
def _dropout(low: TrainingLowering, op: Dropout, site: Site) -> None:
    node, x, dy = _node(low, site)
    low.contribute(node, x, lambda target, add: low.drop(node, dy, target))


@rule(Softmax, LogSoftmax)
def _softmax(low: TrainingLowering, op: Softmax | LogSoftmax, site: Site) -> None:
    node, x, dy = _node(low, site)
    shape = low.shapes[x]
    axis = op.axis - 1 + 3 - len(shape)
    first, second = (i for i in range(3) if i != axis)
    whole = three_axes(shape)

    def emit(target: str, add: bool) -> None:
        values = dict(a=node.name, b=dy, y=target)
        order = {k: tuple(low.strides(v)[i] for i in (first, second, axis)) for k, v in values.items()}
        ints = dict(A=whole[first], B=whole[second], K=whole[axis]) | numbered(**order)  # type: ignore[arg-type]
        ints |= dict(log=int(isinstance(op, LogSoftmax)))
        low.emit(Site(node.name, (node.name, dy), target), "softmax_back", (node.name, dy), ints=ints)

    low.contribute(node, x, emit)


@rule(Lrn)
def _lrn(low: TrainingLowering, op: Lrn, site: Site) -> None:
    node, x, dy = _node(low, site)
    c, _, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        ints = low.window(x, x, dy, target) | dict(size=op.size)
        floats = dict(alpha=op.alpha, beta=op.beta, bias=op.bias)
        low.emit(Site(node.name, (x, dy), target), "lrn_back", (x, dy), ints=ints, floats=floats, workspace=c * w)

    low.contribute(node, x, emit)
