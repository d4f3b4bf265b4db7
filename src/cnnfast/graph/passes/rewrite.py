"""What the passes share: building the next graph."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import numpy as np

from cnnfast.graph.ir import Graph, Node
from cnnfast.ops.base import Array


def rebuilt(graph: Graph, nodes: Iterable[Node], constants: Mapping[str, Array]) -> Graph:
    """Return a graph with the same inputs and outputs, other nodes, and those of the constants that are still read."""
    kept = tuple(nodes)
    read = set(graph.outputs).union(*(node.inputs for node in kept))
    return Graph(graph.inputs, kept, {name: array for name, array in constants.items() if name in read}, graph.outputs)


def float64(array: Array) -> Array:
    """Return a constant in the type of all passes; rounding to float32 is left to the packing of the weights."""
    return np.asarray(array, np.float64)


def read_only(array: Array) -> Array:
    """Return a contiguous, read-only array: a constant of a graph never changes."""
    kept = np.ascontiguousarray(array)
    if kept.flags.writeable:
        kept.flags.writeable = False
    return kept


def fresh_name(wanted: str, *taken: Container[str]) -> str:
    """Return a name that no value has: the one wanted, or the same with a number.

    Examples
    --------
    >>> fresh_name("conv1.weight", {"conv1.weight"})
    'conv1.weight_2'
    """
    name, number = wanted, 1
    while any(name in names for names in taken):
        number += 1
        name = f"{wanted}_{number}"
    return name
