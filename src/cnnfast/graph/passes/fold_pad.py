"""Turn a pad with zeros into the padding of what follows."""

from __future__ import annotations

from dataclasses import replace

from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import rebuilt
from cnnfast.ops import AvgPool, Conv2d, Op, Pad


def fold_pad(graph: Graph) -> Graph:
    """Fold padding with zeros into the convolutions, average pools and pads behind it; an unread pad is dropped."""
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        nodes[node.name] = _without_pad(node, nodes.get(node.inputs[0]))
    if all(nodes[node.name] is node for node in graph.nodes):
        return graph
    return rebuilt(graph, nodes.values(), graph.constants).cut(graph.outputs)


def _without_pad(node: Node, before: Node | None) -> Node:
    """Return ``node`` with the pad in front of it folded in, if there is one and that is possible."""
    if before is None or not isinstance(before.op, Pad) or not before.op.adds_zeros_around_pixels():
        return node
    op = _padded(node.op, before.op)
    return node if op is None else Node(node.name, op, (before.inputs[0], *node.inputs[1:]))


def _padded(op: Op, pad: Pad) -> Op | None:
    """Return ``op`` with the padding of ``pad`` as its own, or None where that computes something else."""
    try:
        if isinstance(op, Conv2d) or (isinstance(op, Pad) and op.adds_zeros_around_pixels()):
            return replace(op, padding=_sum(op.padding, pad.padding))
        # In ceil mode the last window may start in padded zeros but not in padding, so the shape could change.
        if isinstance(op, AvgPool) and not op.ceil_mode and (op.count_padding or not any(op.padding)):
            return replace(op, padding=_sum(op.padding, pad.padding), count_padding=True)
    except GraphError:
        # The op knows its own rule: a pool's padding must stay smaller than its window.
        return None
    return None


def _sum(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]
