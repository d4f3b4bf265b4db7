"""Fuse a layer of integers with the op that turns its sums into bytes or floats, so that no sum is ever stored."""

from __future__ import annotations

from collections.abc import Mapping

from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import rebuilt
from cnnfast.ops import Fused, MaxPool, Op
from cnnfast.ops.quantized import DequantizeSums, IntegerConv2d, IntegerLinear, Requantize, RequantizeAdd

LAYERS = (IntegerConv2d, IntegerLinear)
ROUNDING = (Requantize, RequantizeAdd)


def fuse_integers(graph: Graph) -> Graph:
    """Make `Fused` nodes: a layer, what reads its sums, and a max-pool of separate windows behind bytes.

    Only values that nothing else reads disappear. The new node has the name of the last one that it fuses.
    """
    readers = graph.only_readers
    fused: dict[str, Node] = {}
    taken: set[str] = set()
    for node in graph.nodes:
        tail = _tail(node, readers) if isinstance(node.op, LAYERS) else []
        if tail:
            taken.update(n.name for n in (node, *tail))
            extra = [value for n in tail for value in n.inputs[1:]]
            op = Fused(node.op, tuple(n.op for n in tail), len(node.inputs))
            fused[tail[-1].name] = Node(tail[-1].name, op, (*node.inputs, *extra))
    if not fused:
        return graph
    nodes = (fused.get(n.name, n) for n in graph.nodes if n.name in fused or n.name not in taken)
    return rebuilt(graph, nodes, graph.constants)


def _tail(layer: Node, readers: Mapping[str, Node]) -> list[Node]:
    """Return what follows a layer, as far as it fits."""
    after = readers.get(layer.name)
    if after is None or not isinstance(after.op, (*ROUNDING, DequantizeSums)) or after.inputs[0] != layer.name:
        return []
    pool = readers.get(after.name)
    if isinstance(after.op, ROUNDING) and pool is not None and _has_separate_windows(pool.op):
        return [after, pool]
    return [after]


def _has_separate_windows(op: Op) -> bool:
    """Return whether an op is a max-pool in which no element belongs to two windows, and none is padding."""
    if not isinstance(op, MaxPool) or any(op.padding) or op.ceil_mode or op.dilation != (1, 1):
        return False
    return op.stride == op.kernel
