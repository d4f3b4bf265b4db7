"""The reference interpreter: runs a graph op by op in NumPy; slow, but the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast.graph.ir import Graph, Node
from cnnfast.ops.base import Array


def evaluate(
    graph: Graph, inputs: Array | Mapping[str, Array], dtype: type[np.floating] = np.float64
) -> dict[str, Array]:
    """Compute every value of a graph.

    Parameters
    ----------
    graph : Graph
    inputs : array (N, ...) or mapping of str to array
        The data inputs, images along axis 0; a single array where the graph has one input.
    dtype : numpy dtype
        What the arithmetic of floats is done in, float64 by default. Ops on integers have one result.

    Returns
    -------
    dict of str to array
        The result of every node, and the inputs, each with N in front.
    """
    if isinstance(inputs, np.ndarray):
        (name,) = graph.inputs
        inputs = {name: inputs}
    values: dict[str, Array] = {name: np.asarray(x, dtype) for name, x in inputs.items()}
    exact = {value for node in graph.nodes if node.op.is_quantized for value in node.inputs}
    weights = {name: array if name in exact else np.asarray(array, dtype) for name, array in graph.constants.items()}
    for node in graph.nodes:
        result = node.op.reference(*(operand(node, i, v, values, weights) for i, v in enumerate(node.inputs)))
        values[node.name] = result if graph.dtypes[node.name] != "float32" else np.asarray(result, dtype)
    return values


def operand(node: Node, index: int, value: str, values: Mapping[str, Array], weights: Mapping[str, Array]) -> Array:
    """Return what a node reads: a constant in place of an activation counts as a single image."""
    if value in values:
        return values[value]
    return weights[value][None] if node.op.is_data_input(index) else weights[value]
