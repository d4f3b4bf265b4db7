"""Limits behind limits: a ReLU and the range of the bytes that it is rounded to are one clip, or none."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from cnnfast.graph.ir import Graph, Node
from cnnfast.ops import AvgPool, Clip, Concat, GlobalAvgPool, Op, Relu
from cnnfast.ops.quantized import Grid, Quantize
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


def with_rounded_means(graph: Graph, grids: Mapping[str, Grid]) -> Graph:
    """Return a graph in which means and concats take the grid of a clip behind them that their rounding implies.

    Examples
    --------
    >>> nodes = (Node("a", GlobalAvgPool(), ("x",)), Node("b", Clip(0.0, 25.5), ("a",)))
    >>> with_rounded_means(Graph({"x": (2, 3, 3)}, nodes, {}, ("b",)), {"b": Grid(0.1, 0)}).nodes
    (Node(name='b', op=GlobalAvgPool(keep_dims=True), inputs=('x',)),)
    """
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        before = graph.by_name.get(node.inputs[0])
        if before is None or before.name in grids or graph.only_readers.get(before.name) is not node:
            continue
        if not isinstance(before.op, AvgPool | GlobalAvgPool | Concat):
            continue
        if not set(before.inputs).isdisjoint(graph.constants):
            continue
        if isinstance(node.op, Clip) and node.name in grids and _is_implied(node.op, grids[node.name]):
            del nodes[before.name]
            nodes[node.name] = Node(node.name, before.op, before.inputs)
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
        if _is_implied(node.op, Grid(reader.op.scale, reader.op.zero)):
            nodes[reader.name] = Node(reader.name, reader.op, nodes.pop(node.name).inputs)
    return Graph(graph.inputs, tuple(nodes.values()), graph.constants, graph.outputs)


def _is_implied(limits: Clip, grid: Grid) -> bool:
    return tuple(grid.nearest(np.array([limits.low, limits.high]))) == BYTE


def _is_limit(op: Op) -> bool:
    return isinstance(op, Relu | Clip)


def _limits(op: Op) -> tuple[float, float]:
    return (op.low, op.high) if isinstance(op, Clip) else (0.0, np.inf)
