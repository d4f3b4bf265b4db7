"""Where bytes flow in a graph: which nodes have an integer form, and which values are worth rounding."""

from __future__ import annotations

from collections.abc import Container

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes import PASSES, fuse, fuse_integers
from cnnfast.ops import Op

FLOAT_PASSES = tuple(step for step in PASSES if step not in (fuse, fuse_integers))
"""The passes that prepare a graph: batch-norm is folded, activations are recognized, and nothing is fused."""

LAYERS: tuple[type[Op], ...] = (ops.Conv2d, ops.Linear)
OF_TWO: tuple[type[Op], ...] = (ops.Add, ops.Mul)
POOLS: tuple[type[Op], ...] = (ops.AvgPool, ops.GlobalAvgPool)
OF_ONE: tuple[type[Op], ...] = (
    ops.Activation,
    ops.Function,
    ops.BatchNorm,
    ops.Binary,
)
"""Functions of one element of a channel, if all other operands are constants."""


def is_of_one(graph: Graph, node: Node) -> bool:
    """Return whether a node is a function of one element, the same over each channel, so that a table can do it."""
    computed = [v for v in node.inputs if v not in graph.constants]
    if not isinstance(node.op, OF_ONE) or len(computed) != 1:
        return False
    channels = channel_shape(graph, computed[0])
    shapes = [channels if v in computed else graph.shapes[v] for v in node.inputs]
    if graph.shapes[node.name] != graph.shapes[computed[0]]:
        return False
    try:
        return node.op.shape(*shapes) == channels
    except GraphError:
        return False


def channel_shape(graph: Graph, value: str) -> tuple[int, ...]:
    """Return the shape of a value with all but its channels reduced to 1."""
    first, *rest = graph.shapes[value]
    return (first, *(1 for _ in rest))


def has_integer_form(graph: Graph, node: Node) -> bool:
    """Return whether a node can run on bytes."""
    if isinstance(node.op, LAYERS):
        return True
    if selects_bytes(node.op):
        return not any(v in graph.constants for v in node.inputs)
    if isinstance(node.op, OF_TWO) and not any(v in graph.constants for v in node.inputs):
        return True
    return isinstance(node.op, POOLS) or is_of_one(graph, node)


def selects_bytes(op: Op) -> bool:
    """Return whether an op does the same to bytes: a max-pool with empty windows, which give -inf, does not."""
    match op:
        case ops.MaxPool():
            return op.dilation == (1, 1) or not any(op.padding)
        case ops.Resize():
            return op.only_moves
    return op.keeps_dtype


def worth_rounding(graph: Graph, in_float: Container[str]) -> set[str]:
    """Return the values that a layer of integers reads, directly or through others that run on bytes.

    All others stay in float: rounding them would lose accuracy for no gain.
    """
    worth: set[str] = set()
    able: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name not in in_float and has_integer_form(graph, node):
            able.add(node.name)
        readers = graph.consumers[node.name]
        if any(r.name in able and (isinstance(r.op, LAYERS) or r.name in worth) for r in readers):
            worth.add(node.name)
    return worth
