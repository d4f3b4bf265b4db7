"""Limits behind limits: a ReLU and the range of the bytes that it is rounded to are one clip, or none."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from cnnfast.graph.ir import Graph, Node
from cnnfast.ops import Clip, Op, Relu
from cnnfast.ops.quantized import Quantize
from cnnfast.ops.quantized.rounding import BYTE


def with_merged_limits(graph: Graph, kept: Container[str]) -> Graph:
    """Return a graph in which a ReLU or clip is merged with one that is its only reader, except for values in ``kept``.

    Examples
    --------
    >>> nodes = (Node("a", Relu(), ("x",)), Node("b", Clip(-1.0, 3.0), ("a",)))
    >>> with_merged_limits(Graph({"x": (2,)}, nodes, {}, ("b",)), ()).nodes
    (Node(name='b', op=Clip(low=0.0, high=3.0), inputs=('x',)),)
    """
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        reader = graph.only_readers.get(node.name)
        if reader is None or node.name in kept or not _is_limit(node.op) or not _is_limit(reader.op):
            continue
        first, second = _limits(nodes[node.name].op), _limits(reader.op)
        low, high = (float(np.clip(bound, *second)) for bound in first)
        nodes[reader.name] = Node(reader.name, Clip(low, high), nodes.pop(node.name).inputs)
    if len(nodes) == len(graph.nodes):
        return graph
    return Graph(graph.inputs, tuple(nodes.values()), graph.constants, graph.outputs)


def without_implied_limits(graph: Graph) -> Graph:
    """Return a graph of integers without the clips of floats that the bytes behind them imply.

    Examples
    --------
    >>> nodes = (Node("a", Clip(0.0, 25.5), ("x",)), Node("b", Quantize(0.1, 0), ("a",)))
    >>> without_implied_limits(Graph({"x": (2,)}, nodes, {}, ("b",))).nodes
    (Node(name='b', op=Quantize(scale=0.10000000149011612, zero=0), inputs=('x',)),)
    """
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        reader = graph.only_readers.get(node.name)
        if not isinstance(node.op, Clip) or reader is None or not isinstance(reader.op, Quantize):
            continue
        ends = reader.op.reference(np.array([node.op.low, node.op.high]))
        if tuple(ends) == BYTE:
            nodes[reader.name] = Node(reader.name, reader.op, nodes.pop(node.name).inputs)
    return Graph(graph.inputs, tuple(nodes.values()), graph.constants, graph.outputs)


def _is_limit(op: Op) -> bool:
    return isinstance(op, Relu | Clip)


def _limits(op: Op) -> tuple[float, float]:
    return (op.low, op.high) if isinstance(op, Clip) else (0.0, np.inf)
