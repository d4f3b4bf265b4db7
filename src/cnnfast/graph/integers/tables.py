"""Functions of one element as tables of 256 bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.graph.interpreter import operand
from cnnfast.graph.ir import Graph, Node
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import Grid


def table_of(graph: Graph, chain: Sequence[Node], value: str, x: Grid, y: Grid) -> Array:
    """Return the result of a chain of functions of one element for each byte: (256,), or (C, 256) if channels differ.

    Parameters
    ----------
    graph : Graph
    chain : sequence of Node
        Each reads the one before, the first reads ``value``.
    x, y : Grid
        Of the value and of the result.
    """
    first, *rest = graph.shapes[value]
    every = x.real(np.arange(256, dtype=np.uint8)).astype(np.float64)
    result = np.broadcast_to(every.reshape(-1, 1, *(1 for _ in rest)), (256, first, *(1 for _ in rest)))
    read = {v for node in chain for v in node.inputs if v in graph.constants}
    weights = {v: np.asarray(graph.constants[v], np.float64) for v in read}
    for node in chain:
        (running,) = (v for v in node.inputs if v not in graph.constants)
        inputs = (operand(node, i, v, {running: result}, weights) for i, v in enumerate(node.inputs))
        with np.errstate(all="ignore"):
            result = np.asarray(node.op.reference(*inputs), np.float64)
    table = np.ascontiguousarray(y.nearest(result).reshape(256, first).T)
    return table[0].copy() if (table == table[0]).all() else table


def rescaling_table(x: Grid, y: Grid) -> Array:
    """Return the table that converts bytes from one grid to another."""
    return y.nearest(x.real(np.arange(256, dtype=np.uint8)))
