"""Small graphs, written with one line per node."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Op
from cnnfast.ops.base import Shape


def net(*nodes: tuple[str, Op, *tuple[str, ...]], x: Shape = (3, 8, 8), outputs: str = "", **constants: Any) -> Graph:
    """Return a graph on the input ``x`` from (name, op, inputs...) tuples.

    A constant is an array, or a tuple of sizes for random numbers of that shape. Outputs are named in one string; the
    last node by default.
    """
    rng = np.random.default_rng(0)
    arrays = {
        name: constant(rng.standard_normal(value) if isinstance(value, tuple) else value)
        for name, value in constants.items()
    }
    made = tuple(Node(name, op, tuple(inputs)) for name, op, *inputs in nodes)
    return Graph({"x": x}, made, arrays, tuple(outputs.split()) or (nodes[-1][0],))


def names(graph: Graph) -> list[str]:
    """Return the names of the nodes, in order."""
    return [node.name for node in graph.nodes]
