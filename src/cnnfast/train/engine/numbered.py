"""A graph whose parameters are the numbers of their elements: what rules make of it tells how to pack the values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph
from cnnfast.ops import Array, Conv2d, Linear

EXACT = 1 << 24
"""Weights up to this size can be numbered in float32."""


TRANSPOSED = "^T"
"""What a constant is called that holds the weights of the layer that passes gradients back."""


def numbered_graph(graph: Graph) -> Graph:
    """Return the graph with the numbers of their elements in place of all parameters, and their transposes beside them.

    Raises
    ------
    UnsupportedError
        If a parameter is too large to be numbered.
    """
    constants: dict[str, Array] = dict(graph.constants)
    for node in graph.nodes:
        for index, name in enumerate(node.inputs):
            if node.op.is_data_input(index):
                continue
            shape = graph.shapes[name]
            if math.prod(shape) > EXACT:
                raise UnsupportedError(f"{name} has {math.prod(shape)} elements; at most {EXACT} can be trained")
            constants[name] = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
            if index == 1 and isinstance(node.op, Conv2d | Linear):
                constants[name + TRANSPOSED] = transposed(node.op, constants[name])
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)


def transposed(op: Any, weight: Array) -> Array:
    """Return the weights of the layer that passes gradients back: channels exchanged, kernels turned by 180 degrees."""
    if weight.ndim == 2:
        return weight.T
    oc, c, kh, kw = weight.shape
    groups = op.groups
    turned = weight.reshape(groups, oc // groups, c, kh, kw)[..., ::-1, ::-1]
    return turned.swapaxes(1, 2).reshape(groups * c, oc // groups, kh, kw)
