"""Backwards through sums, products, and what moves elements."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Node
from cnnfast.ops import Add, Concat, Flatten, Identity, Mul, Op, Pad, Reshape, Transpose
from cnnfast.plan.chwn.values import NO_HALO, copy_ints
from cnnfast.plan.chwn.values import rule as plan_rule
from cnnfast.plan.lowering import NodeIO, Triple, broadcast_strides, numbered, strides_of, three_axes
from cnnfast.train.engine.backward.rules import parts_of, rule
from cnnfast.train.engine.lowering import TrainingLowering, grad


@rule(Add, Mul)
def _arithmetic(low: TrainingLowering, op: Op, site: NodeIO) -> None:
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
    """Return whether the gradient of an operand can share the memory of that of the sum.

    It can if the other operand comes from a batch-norm, which only reads that gradient, and is done before anything is
    added to that of ``value``: all other readers of ``value``, and the node that made it, come before that batch-norm.
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
    """Return whether a value is made by a batch-norm that trains, and read once: nothing writes to its gradient."""
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
        low.emit(NodeIO(node.name, reads, target), kernel, reads, ints=ints)

    return emit


@rule(Concat)
def _concat(low: TrainingLowering, op: Concat, site: NodeIO) -> None:
    node = low.graph.by_name[site.node]
    axis = op.axis - 1 + 3 - len(low.shapes[node.name])
    sizes = [three_axes(low.shapes[v])[axis] for v in node.inputs]
    for value, start in zip(node.inputs, itertools.accumulate([0, *sizes[:-1]]), strict=True):
        if low.is_active(value):
            low.contribute(node, value, _part(low, node, start * low.strides(grad(node.name))[axis]))


def _part(low: TrainingLowering, node: Node, at: int) -> Callable[[str, bool], None]:
    """Return what emits a copy of the part of a node's gradient that starts at an offset."""

    def emit(target: str, add: bool) -> None:
        dy, start = grad(node.name), at
        shape, a, y = three_axes(low.shapes[target]), low.strides(dy), low.strides(target)
        ints = copy_ints(shape, a, y)
        low.emit(NodeIO(node.name, (dy,), target), "copy", (dy,), ints=ints)
        low.shifts[len(low.steps) - 1] = start

    return emit


@rule(Pad)
def _pad(low: TrainingLowering, op: Pad, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    if op.mode != "constant":
        raise UnsupportedError(f"there is no kernel for the gradient of pad in mode {op.mode}")
    y = low.strides(dy)
    low.contribute(node, x, _part(low, node, op.channels[0] * y[0] + op.padding[0] * y[1] + op.padding[1]))


@rule(Transpose)
def _transpose(low: TrainingLowering, op: Transpose, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    back = Transpose(tuple(int(i) for i in np.argsort(op.order)))
    low.contribute(node, x, lambda target, add: plan_rule.apply(low, back, NodeIO(node.name, (dy,), target)))


@rule(Flatten, Reshape, Identity)
def _reshape(low: TrainingLowering, op: Op, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)

    def emit(target: str, add: bool) -> None:
        if low.contributions[x] == 1:
            plan_rule.apply(low, Identity(), NodeIO(node.name, (dy,), target))
        else:
            low.shapes[moved := f"{dy}:moved"] = low.shapes[x]
            plan_rule.apply(low, Identity(), NodeIO(node.name, (dy,), moved))
            low.copy(node.name, moved, target)

    low.contribute(node, x, emit)
