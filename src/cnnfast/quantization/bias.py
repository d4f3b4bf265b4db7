"""Bias correction: what rounded weights add to the mean of each sum is taken from its bias."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.integers import LAYERS, integer_weights
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.statistics import Distribution


def bias_corrected(
    graph: Graph, grids: Mapping[str, Grid], found: Mapping[str, Distribution], in_float: Container[str] = ()
) -> Graph:
    """Return the graph of floats with biases for which the mean of each sum of integers is that of floats.

    Parameters
    ----------
    graph : Graph
        Of floats, nothing fused.
    grids : mapping of str to Grid
        Of the values that layers read.
    found : mapping of str to Distribution
        Of the same values: the mean of each channel is what counts.
    in_float : container of str
        Layers that stay as they are.
    """
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        source = node.inputs[0]
        if isinstance(node.op, LAYERS) and node.name not in in_float and source in grids:
            shift = _shift(graph, node, grids[source], found[source].mean)
            if shift is not None:
                name = fresh_name(f"{node.name}.bias", constants, graph.shapes)
                constants[name] = constant(shift, np.float64)
                node = Node(node.name, node.op, (*node.inputs[:2], name))
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), constants, graph.outputs).cut(graph.outputs)


def _shift(graph: Graph, node: Node, grid: Grid, mean: Array) -> Array | None:
    """Return the corrected bias of a layer, or None for one that cannot be of integers."""
    weight = graph.constants[node.inputs[1]].astype(np.float64)
    bias = graph.constants[node.inputs[2]].astype(np.float64) if len(node.inputs) > 2 else np.zeros(len(weight))
    try:
        real = integer_weights(weight, bias, grid, name=node.name).real(grid.scale)
    except GraphError:
        return None
    error = (real - weight).reshape(*weight.shape[:2], -1).sum(axis=2)
    groups = node.op.groups if isinstance(node.op, ops.Conv2d) else 1
    means = np.repeat(mean.reshape(groups, -1), len(weight) // groups, axis=0)
    result: Array = bias - (error * means).sum(axis=1)
    return result
