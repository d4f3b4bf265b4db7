"""The random weights that training begins with."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Array, BatchNorm, Conv2d, Identity, Linear, MaxPool, PRelu
from cnnfast.ops.activation import Elu, Gelu, HardSwish, LeakyRelu, Relu, Silu
from cnnfast.train import draws

RECTIFIERS = (Relu, LeakyRelu, PRelu, Elu, Gelu, Silu, HardSwish)
TRANSPARENT = (BatchNorm, MaxPool, Identity)
"""Ops between a layer and its activation that leave the choice to what follows."""


def initialise(graph: Graph, seed: int = 0) -> Graph:
    """Return a graph with fresh weights; the same seed gives the same ones.

    Weights of convolutions and dense layers are normal numbers. Before a rectifier (ReLU and its kin) their variance is
    ``2 / inputs``, after He et al. (2015), else ``2 / (inputs + outputs)``, after Glorot and Bengio (2010); inputs and
    outputs are the products that make an output or come from an input. Biases are 0; batch-norm does nothing yet.

    Examples
    --------
    >>> from cnnfast.architectures import build
    >>> graph = initialise(build("lenet"), seed=1)
    >>> round(float(graph.constants["fc1.weight"].std()), 2), float(graph.constants["fc1.bias"].max())
    (0.07, 0.0)
    """
    constants = dict(graph.constants)
    for node in graph.nodes:
        fresh = _fresh(graph, node, seed)
        constants.update({node.inputs[i]: constant(array) for i, array in fresh.items() if i < len(node.inputs)})
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)


def _fresh(graph: Graph, node: Node, seed: int) -> dict[int, Array]:
    """Return the new parameters of a node by the number of its input."""
    if isinstance(node.op, Conv2d | Linear):
        shape = graph.shapes[node.inputs[1]]
        inputs = math.prod(shape[1:])
        outputs = shape[0] * math.prod(shape[2:]) // (node.op.groups if isinstance(node.op, Conv2d) else 1)
        variance = 2 / inputs if _meets_rectifier(graph, node) else 2 / (inputs + outputs)
        weight = draws.generator(seed, 0, f"weight {node.name}").standard_normal(shape, np.float32)
        return {1: weight * np.float32(math.sqrt(variance)), 2: np.zeros(shape[0])}
    if isinstance(node.op, BatchNorm):
        channels = graph.shapes[node.inputs[1]]
        return {1: np.ones(channels), 2: np.zeros(channels), 3: np.zeros(channels), 4: np.ones(channels)}
    if isinstance(node.op, PRelu):
        return {1: np.full(graph.shapes[node.inputs[1]], 0.25)}
    return {}


def _meets_rectifier(graph: Graph, node: Node) -> bool:
    readers = list(graph.consumers[node.name])
    while readers:
        reader = readers.pop()
        if isinstance(reader.op, RECTIFIERS):
            return True
        if isinstance(reader.op, TRANSPARENT) or reader.op.name == "add":
            readers += graph.consumers[reader.name]
    return False
