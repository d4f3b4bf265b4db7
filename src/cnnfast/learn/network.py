"""A network with a head that was fitted to its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnfast import ops
from cnnfast.graph import Graph, constant
from cnnfast.learn.head import Head
from cnnfast.network.network import Network


def with_fitted_head(
    net: Network, head: Head, classes: Sequence[str], layer: str | None = None, notes: Mapping[str, str] | None = None
) -> Network:
    """Return the network with a dense layer that computes the scores of a head.

    Parameters
    ----------
    net : Network
        That computed the features.
    head : Head
    classes : sequence of str
    layer : str, optional
        The layer of the features; by default what the last dense layer reads.
    notes : mapping, optional
        Free text that the file of the network is to hold.

    Examples
    --------
    >>> net = Network.load("cifar10-cs61c")
    >>> head = Head(np.zeros((2, 320)), np.array([1.0, 0.0]), 1.0)
    >>> with_fitted_head(net, head, ["cat", "dog"]).predict(np.zeros((1, 32, 32, 3), np.uint8))
    array(['cat'], dtype='<U3')
    """
    made = net.with_head(classes, layer=layer)
    graph = made.graph
    last = next(node for node in reversed(graph.nodes) if isinstance(node.op, ops.Linear))
    _, weight, bias = last.inputs
    values = {weight: head.weight.astype(np.float32), bias: head.bias.astype(np.float32)}
    fitted = {name: constant(values.get(name, array)) for name, array in graph.constants.items()}
    return Network.from_graph(
        Graph(graph.inputs, graph.nodes, fitted, graph.outputs),
        classes=classes,
        preprocess=net.preprocess,
        license=net.license,
        notes=dict(notes or {}),
    )
