"""The random weights that training begins with."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np

from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Array, BatchNorm, Conv2d, Identity, Linear, MaxPool, PRelu
from cnnfast.ops.activation import Elu, Gelu, HardSwish, LeakyRelu, Relu, Silu
from cnnfast.runtime.arguments import instance, one_of, whole
from cnnfast.runtime.random import generator

RECTIFIERS = (Relu, LeakyRelu, PRelu, Elu, Gelu, Silu, HardSwish)
TRANSPARENT = (BatchNorm, MaxPool, Identity)
"""Ops between a layer and its activation that leave the choice to what follows."""

INITS = ("random", "identity")


def initialize(graph: Graph, seed: int = 0, init: str = "random", only: Container[str] | None = None) -> Graph:
    """Return a graph with fresh weights; the same seed gives the same ones.

    Weights of convolutions and dense layers are normal numbers. Before a rectifier (ReLU and its kin) their variance is
    ``2 / inputs``, after He et al. (2015), else ``2 / (inputs + outputs)``, after Glorot and Bengio (2010); inputs and
    outputs are the products that make an output or come from an input. Biases are 0; batch-norm does nothing yet.

    Parameters
    ----------
    graph : Graph
    seed : int
    init : {"random", "identity"}
        With ``"identity"`` convolutions begin by passing their input channels on, one to a filter, as far as they have
        filters (Dirac's initialization), and the last layer with weights of 0: no class is preferred.
    only : container of str, optional
        Names of the layers that get fresh weights; by default all.

    Raises
    ------
    ConfigError
        For another init.

    Examples
    --------
    >>> from cnnfast.architectures import build
    >>> graph = initialize(build("lenet"), seed=1)
    >>> round(float(graph.constants["fc1.weight"].std()), 2), float(graph.constants["fc1.bias"].max())
    (0.07, 0.0)
    """
    instance("the first argument", graph, Graph, "such as net.graph", GraphError)
    whole("seed", seed, least=0)
    one_of("init", init, INITS)
    constants = dict(graph.constants)
    chosen = [node for node in graph.nodes if only is None or node.name in only]
    for node in chosen:
        fresh = _fresh(graph, node, seed)
        constants.update({node.inputs[i]: constant(array) for i, array in fresh.items() if i < len(node.inputs)})
    if init == "identity":
        constants |= _identity(chosen, constants)
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)


def weighted_layers(nodes: Iterable[Node]) -> list[Node]:
    """Return the convolutions and dense layers, of which the last makes the scores.

    Examples
    --------
    >>> from cnnfast.architectures import build
    >>> [node.name for node in weighted_layers(build("cs61c").nodes)]
    ['conv1', 'conv2', 'conv3', 'fc']
    """
    return [node for node in nodes if isinstance(node.op, Conv2d | Linear)]


def _fresh(graph: Graph, node: Node, seed: int) -> dict[int, Array]:
    """Return the new parameters of a node by the number of its input."""
    if isinstance(node.op, Conv2d | Linear):
        shape = graph.shapes[node.inputs[1]]
        inputs = math.prod(shape[1:])
        outputs = shape[0] * math.prod(shape[2:]) // (node.op.groups if isinstance(node.op, Conv2d) else 1)
        variance = 2 / inputs if _meets_rectifier(graph, node) else 2 / (inputs + outputs)
        weight = generator(seed, 0, f"weight {node.name}").standard_normal(shape, np.float32)
        return {1: weight * np.float32(math.sqrt(variance)), 2: np.zeros(shape[0])}
    if isinstance(node.op, BatchNorm):
        channels = graph.shapes[node.inputs[1]]
        return {1: np.ones(channels), 2: np.zeros(channels), 3: np.zeros(channels), 4: np.ones(channels)}
    if isinstance(node.op, PRelu):
        return {1: np.full(graph.shapes[node.inputs[1]], 0.25)}
    return {}


def _identity(nodes: Sequence[Node], constants: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights with which convolutions pass their channels on, and the last layer prefers no class."""
    layers = weighted_layers(nodes)
    convolutions = ((node.inputs[1], node.op) for node in layers[:-1] if isinstance(node.op, Conv2d))
    passing = {weight: _passing(constants[weight], op.groups) for weight, op in convolutions}
    return passing | {node.inputs[1]: constant(np.zeros_like(constants[node.inputs[1]])) for node in layers[-1:]}


def _passing(weight: Array, groups: int) -> Array:
    """Return filters of which the first of each group copy its channels."""
    weight = weight.copy()
    outputs, inputs, height, width = weight.shape
    for group in weight.reshape(groups, outputs // groups, inputs, height, width):
        count = min(group.shape[:2])
        group[:count] = 0
        group[range(count), range(count), height // 2, width // 2] = 1
    return constant(weight)


def _meets_rectifier(graph: Graph, node: Node) -> bool:
    readers = list(graph.consumers[node.name])
    while readers:
        reader = readers.pop()
        if isinstance(reader.op, RECTIFIERS):
            return True
        if isinstance(reader.op, TRANSPARENT) or reader.op.name == "add":
            readers += graph.consumers[reader.name]
    return False
