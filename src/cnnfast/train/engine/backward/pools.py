"""Backwards through pools."""

from __future__ import annotations

from cnnfast.graph import Node
from cnnfast.ops import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, Op
from cnnfast.plan.lowering import NodeIO, packed, window_ints
from cnnfast.train.engine.backward.rules import parts_of, rule
from cnnfast.train.engine.lowering import TrainingLowering, grad


@rule(MaxPool, AvgPool)
def _pool(low: TrainingLowering, op: MaxPool | AvgPool, site: NodeIO) -> None:
    node, x, _ = parts_of(low, site)
    source, target_shape = low.shapes[x], low.shapes[node.name]

    def emit(target: str, add: bool) -> None:
        if not add:
            low.fill(node.name, target)
        ints = window_ints(op, source, target_shape)
        _pool_back(low, node, op, target, ints)

    low.contribute(node, x, emit, adds=True)


def _pool_back(low: TrainingLowering, node: Node, op: Op, target: str, ints: dict[str, int]) -> None:
    x, dy = low.for_backward(node.inputs[0]), grad(node.name)
    for prefix, value in (("x", x), ("y", node.name), ("dy", dy), ("dx", target)):
        own = low.strides(value) if len(low.shapes[value]) == 3 else (1, 1, 1)
        ints = ints | {f"{prefix}_c": own[0], f"{prefix}_r": own[1]}
    if isinstance(op, AvgPool):
        divisors = packed(op.divisors(*low.shapes[x][1:]))
        low.emit(NodeIO(node.name, (dy,), target), "avg_pool_back", (dy,), ints=ints, parameters=(divisors,))
    else:
        reads = (dy, x, node.name)
        low.emit(NodeIO(node.name, reads, target), "max_pool_back", reads, ints=ints)


@rule(GlobalMaxPool)
def _global_max_pool(low: TrainingLowering, op: GlobalMaxPool, site: NodeIO) -> None:
    node, x, _ = parts_of(low, site)
    c, h, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        if not add:
            low.fill(node.name, target)
        ints = dict(C=c, H=h, W=w, OH=1, OW=1, KH=h, KW=w, SH=1, SW=1, PT=0, PL=0, DH=1, DW=1)
        _pool_back(low, node, op, target, ints)

    low.contribute(node, x, emit, adds=True)


@rule(GlobalAvgPool)
def _global_avg_pool(low: TrainingLowering, op: GlobalAvgPool, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    c, h, w = low.shapes[x]

    def emit(target: str, add: bool) -> None:
        y = low.strides(target)
        channel = low.strides(dy)[0] if len(low.shapes[dy]) == 3 else 1
        ints = dict(C=c, H=h, W=w, dy_c=channel, y_c=y[0], y_r=y[1])
        low.emit(NodeIO(node.name, (dy,), target), "global_avg_pool_back", (dy,), ints=ints, workspace=1)

    low.contribute(node, x, emit)
