"""A first layer that is computed from the images instead of learned."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.errors import GraphError
from cnnfast.graph import Graph, constant
from cnnfast.network.network import Network
from cnnfast.ops import Array, Conv2d
from cnnfast.runtime.arguments import instance
from cnnfast.train.transfer import with_graph

PATCHES = 5_000_000
"""The largest number of patches that whitening looks at: their covariance does not need more."""


def whitened(net: Network, images: Array, eps: float = 5e-4) -> tuple[Network, str]:
    """Return a network whose first convolution whitens, and the name of that layer.

    Its filters are the principal components of the patches that it sees, those with the largest variance first, each
    divided by its standard deviation and taken with both signs. Their responses are of equal size and
    uncorrelated, which spares the layers above much learning; they need not be trained (Page 2019; Jordan 2024).

    Parameters
    ----------
    net : Network
        Its first layer is a convolution without groups, of an even number of filters; filters that are left over stay.
    images : array (N, H, W, C)
        As `fit` takes them.
    eps : float
        Added to all variances, so that noise is not amplified.

    Raises
    ------
    GraphError
        If the first layer is not such a convolution.

    Examples
    --------
    >>> from cnnfast.layers import Conv2d
    >>> from cnnfast.images.preprocess import Preprocess
    >>> gray = Preprocess(size=(4, 4), channels="gray")
    >>> net = Network.from_layers([Conv2d(np.zeros((2, 1, 1, 1)))], (1, 4, 4), preprocess=gray)
    >>> images = np.random.default_rng(0).integers(0, 2, (99, 4, 4, 1), np.uint8) * 255
    >>> found, layer = whitened(net, images)
    >>> layer, found.graph.constants["conv2d_1.weight"].ravel().round(1)
    ('conv2d_1', array([ 1.4, -1.4], dtype=float32))
    """
    instance("the first argument", net, Network, "which Network.build makes")
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
    filters = (components / np.sqrt(variances + eps)).T[::-1].reshape(-1, *weight.shape[1:])
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
