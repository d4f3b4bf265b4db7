"""The random weights that training begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cnnfast.errors import ConfigError, GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.network import Network
from cnnfast.ops import Array, BatchNorm, Conv2d, Identity, Linear, MaxPool, PRelu
from cnnfast.ops.activation import Elu, Gelu, HardSwish, LeakyRelu, Relu, Silu
from cnnfast.train import rng
from cnnfast.train.engine import weighted_layers
from cnnfast.train.transfer import with_graph

RECTIFIERS = (Relu, LeakyRelu, PRelu, Elu, Gelu, Silu, HardSwish)
TRANSPARENT = (BatchNorm, MaxPool, Identity)
"""Ops between a layer and its activation that leave the choice to what follows."""

PATCHES = 5_000_000
"""How many patches whitening looks at, at most: their covariance does not need more."""


INITS = ("random", "identity")


def initialize(graph: Graph, seed: int = 0, init: str = "random") -> Graph:
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
    if init not in INITS:
        raise ConfigError(f"init must be one of {', '.join(INITS)}, but is {init!r}")
    constants = dict(graph.constants)
    for node in graph.nodes:
        fresh = _fresh(graph, node, seed)
        constants.update({node.inputs[i]: constant(array) for i, array in fresh.items() if i < len(node.inputs)})
    if init == "identity":
        constants |= _identity(graph, constants)
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)


def whitened(net: Network, images: Array, least: float = 5e-4) -> tuple[Network, str]:
    """Return a network whose first convolution whitens, and the name of that layer.

    Its filters are the principal components of the patches that it sees, those with the largest variance first, each
    divided by its standard deviation and taken with both signs. Their responses are as large as one another and
    uncorrelated, which spares the layers above much learning; they need not be trained (Page 2019; Jordan 2024).

    Parameters
    ----------
    net : Network
        Its first layer is a convolution without groups, of an even number of filters; filters that are left over stay.
    images : array (N, H, W, C)
        As `fit` takes them.
    least : float
        Added to all variances, so that noise is not amplified.

    Raises
    ------
    GraphError
        If the first layer is no such convolution.

    Examples
    --------
    >>> from cnnfast.layers import Conv2d
    >>> from cnnfast.preprocess import Preprocess
    >>> grey = Preprocess(size=(4, 4), channels="grey")
    >>> net = Network.from_layers([Conv2d(np.zeros((2, 1, 1, 1)))], (1, 4, 4), preprocess=grey)
    >>> images = np.random.default_rng(0).integers(0, 2, (99, 4, 4, 1), np.uint8) * 255
    >>> found, layer = whitened(net, images)
    >>> layer, found.graph.constants["conv2d_1.weight"].ravel().round(1)
    ('conv2d_1', array([ 1.4, -1.4], dtype=float32))
    """
    graph = net.graph
    node = graph.nodes[0]
    if not isinstance(node.op, Conv2d) or node.op.groups != 1 or graph.shapes[node.name][0] % 2:
        raise GraphError(
            f"whitening needs a first layer that is a convolution of an even number of filters without groups, but "
            f"{node.name!r} is {node.op}"
        )
    weight = graph.constants[node.inputs[1]].copy()
    _, _, height, width = weight.shape
    variances, components = np.linalg.eigh(_covariance(_values(net, images), (height, width)))
    filters = (components / np.sqrt(variances + least)).T[::-1].reshape(-1, *weight.shape[1:])
    half = min(len(weight) // 2, len(filters))
    weight[:half], weight[half : 2 * half] = filters[:half], -filters[:half]
    constants = dict(graph.constants) | {node.inputs[1]: constant(weight)}
    return with_graph(net, Graph(graph.inputs, graph.nodes, constants, graph.outputs)), node.name


def _values(net: Network, images: Array) -> Array:
    """Return images as the network's input, (N, C, H, W), those that make up `PATCHES`."""
    chosen = images[: -(-PATCHES // math.prod(images.shape[1:3]))].transpose(0, 3, 1, 2)
    if images.dtype != np.uint8:
        return chosen
    assert net.preprocess is not None
    factor, shift = net.preprocess.affine()
    return chosen * factor[:, None, None] + shift[:, None, None]


def _covariance(x: Array, kernel: tuple[int, int]) -> Array:
    """Return the mean product of each two values of a patch, (C kh kw, C kh kw), in float64."""
    values = x.shape[1] * math.prod(kernel)
    total, count = np.zeros((values, values)), 0
    for part in np.array_split(x, -(-len(x) // 256)):
        windows = np.lib.stride_tricks.sliding_window_view(part, kernel, (2, 3))
        rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, values).astype(np.float64)
        total, count = total + rows.T @ rows, count + len(rows)
    return total / count


def _fresh(graph: Graph, node: Node, seed: int) -> dict[int, Array]:
    """Return the new parameters of a node by the number of its input."""
    if isinstance(node.op, Conv2d | Linear):
        shape = graph.shapes[node.inputs[1]]
        inputs = math.prod(shape[1:])
        outputs = shape[0] * math.prod(shape[2:]) // (node.op.groups if isinstance(node.op, Conv2d) else 1)
        variance = 2 / inputs if _meets_rectifier(graph, node) else 2 / (inputs + outputs)
        weight = rng.generator(seed, 0, f"weight {node.name}").standard_normal(shape, np.float32)
        return {1: weight * np.float32(math.sqrt(variance)), 2: np.zeros(shape[0])}
    if isinstance(node.op, BatchNorm):
        channels = graph.shapes[node.inputs[1]]
        return {1: np.ones(channels), 2: np.zeros(channels), 3: np.zeros(channels), 4: np.ones(channels)}
    if isinstance(node.op, PRelu):
        return {1: np.full(graph.shapes[node.inputs[1]], 0.25)}
    return {}


def _identity(graph: Graph, constants: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights with which convolutions pass their channels on, and the last layer prefers no class."""
    layers = weighted_layers(graph)
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
