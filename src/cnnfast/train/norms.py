"""Batch-norm that is added for training and folded into the weights afterwards."""

from __future__ import annotations

import numpy as np

from cnnfast.architectures.initial import weighted_layers
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Array, BatchNorm
from cnnfast.runtime.arguments import instance

SUFFIX = ":norm"
"""What the name of an added batch-norm ends in."""


def with_batch_norm(graph: Graph) -> Graph:
    """Return a graph with a batch-norm after every convolution and dense layer but the last, where there is none.

    Examples
    --------
    >>> from cnnfast.architectures import build
    >>> [node.name for node in with_batch_norm(build("cs61c")).nodes][:3]
    ['conv1', 'conv1:norm', 'relu_1']
    """
    instance("the first argument", graph, Graph, "such as net.graph", GraphError)
    chosen = [
        n
        for n in weighted_layers(graph.nodes)[:-1]
        if not any(isinstance(r.op, BatchNorm) for r in graph.consumers[n.name])
    ]
    names = {node.name: node.name + SUFFIX for node in chosen}
    nodes: list[Node] = []
    constants = dict(graph.constants)
    for node in graph.nodes:
        nodes.append(Node(node.name, node.op, tuple(names.get(v, v) for v in node.inputs)))
        if node.name in names:
            norm, channels = names[node.name], graph.shapes[node.name][0]
            parts = {"scale": np.ones, "shift": np.zeros, "mean": np.zeros, "var": np.ones}
            constants.update({f"{norm}.{part}": constant(make(channels)) for part, make in parts.items()})
            nodes.append(Node(norm, BatchNorm(), (node.name, *(f"{norm}.{part}" for part in parts))))
    return Graph(graph.inputs, tuple(nodes), constants, tuple(names.get(v, v) for v in graph.outputs))


def without_batch_norm(graph: Graph) -> Graph:
    """Return the graph without what `with_batch_norm` added: multiplied into the weights of the layer before it.

    Examples
    --------
    >>> from cnnfast.architectures import build
    >>> without_batch_norm(with_batch_norm(build("cs61c"))).nodes == build("cs61c").nodes
    True
    """
    instance("the first argument", graph, Graph, "such as net.graph", GraphError)
    added = {n.inputs[0]: n for n in graph.nodes if isinstance(n.op, BatchNorm) and n.name == n.inputs[0] + SUFFIX}
    back = {node.name: layer for layer, node in added.items()}
    nodes: list[Node] = []
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.name in back:
            for name in node.inputs[1:]:
                del constants[name]
            continue
        inputs = tuple(back.get(v, v) for v in node.inputs)
        if node.name in added:
            weight, bias = _folded(graph, node, added[node.name])
            inputs = (*inputs[:2], inputs[2] if len(inputs) > 2 else f"{node.name}.bias")
            constants[inputs[1]], constants[inputs[2]] = constant(weight), constant(bias)
        nodes.append(Node(node.name, node.op, inputs))
    return Graph(graph.inputs, tuple(nodes), constants, tuple(back.get(v, v) for v in graph.outputs))


def _folded(graph: Graph, layer: Node, norm: Node) -> tuple[Array, Array]:
    """Return weight and bias of the layer that does the work of both, computed in float64."""
    assert isinstance(norm.op, BatchNorm)
    scale, shift, mean, var = (graph.constants[v].astype(np.float64) for v in norm.inputs[1:])
    factor, offset = norm.op.factors(scale, shift, mean, var)
    weight, *bias = (graph.constants[v].astype(np.float64) for v in layer.inputs[1:])
    scaled = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return scaled, offset + (bias[0] * factor if bias else 0)
