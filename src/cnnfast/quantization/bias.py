"""Bias correction: what rounding adds to the mean of each sum is taken from its bias, one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.integers import LAYERS, IntegerGraph
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.quantization.ranges import rounded
from cnnfast.quantization.runs import Runs, alone
from cnnfast.quantization.sensitivity import in_integers


def bias_corrected(graph: Graph, integers: IntegerGraph, images: Array, runs: Runs | None = None) -> Graph:
    """Return the graph of floats with biases for which the mean of each sum of integers is that of floats.

    A layer is corrected with those before it in integers and corrected already, so it also makes up for what their
    rounding and the ends of their ranges have left.

    Parameters
    ----------
    graph : Graph
        Of floats, nothing fused.
    integers : IntegerGraph
        What is made of it without a correction.
    images : float32 array (N, ...)
        The means are those of these images.
    runs : Runs, optional
    """
    runs = runs or Runs()
    both = _Both(graph, integers, images, runs)
    constants, nodes = dict(graph.constants), []
    for node in runs.counted(graph.nodes, "biases"):
        shift = both.step(node)
        if shift is not None:
            name = fresh_name(f"{node.name}.bias", constants, graph.shapes)
            before = constants[node.inputs[2]].astype(np.float64) if len(node.inputs) > 2 else 0.0
            constants[name] = constant(before + shift, np.float64)
            node = Node(node.name, node.op, (*node.inputs[:2], name))
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), constants, graph.outputs).cut(graph.outputs)


class _Both:
    """The values of some images, in float and as the integers make them, node by node; none is kept for longer than it
    is read."""

    def __init__(self, graph: Graph, integers: IntegerGraph, images: Array, runs: Runs) -> None:
        self._graph, self._integers, self._runs = graph, integers, runs
        ((name, _),) = graph.inputs.items()
        self._floats = {name: images}
        self._rounded = {name: self._on_grid(name, images)}
        self._last = {v: node.name for node in graph.nodes for v in node.inputs}

    def step(self, node: Node) -> Array | None:
        """Compute a node, and return what its bias is to be raised by, or None if it is not a layer of integers."""
        compute = self._runs.function(alone(self._graph, node))
        (real,) = compute(self._floats)
        layer = self._layer(node)
        if layer is None:
            (found,) = compute(self._rounded)
            shift = None
        else:
            (found,) = self._runs.function(layer, keep=False)(self._rounded)
            axes: Sequence[int] = [axis for axis in range(real.ndim) if axis != 1]
            shift = (real.mean(axis=tuple(axes), dtype=np.float64)) - found.mean(axis=tuple(axes), dtype=np.float64)
            found += shift.astype(np.float32).reshape(-1, *(1,) * (real.ndim - 2))
        self._floats[node.name], self._rounded[node.name] = real, self._on_grid(node.name, found)
        for value in {v for v in node.inputs if self._last[v] == node.name and v in self._graph.by_name}:
            del self._floats[value], self._rounded[value]
        return shift

    def _layer(self, node: Node) -> Graph | None:
        if not isinstance(node.op, LAYERS) or node.name in self._integers.in_float:
            return None
        grid = self._integers.grids.get(node.inputs[0])
        return None if grid is None else in_integers(self._graph, node, grid)

    def _on_grid(self, value: str, values: Array) -> Array:
        grid = self._integers.grids.get(value)
        return values if grid is None else rounded(values, grid)
