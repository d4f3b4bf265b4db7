"""Scores that are multiplied by a number, or one for each class, and shifted: by the weights of the last layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast import ops
from cnnfast.calibration.scores import Ending
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.ops.quantized import DequantizeSums

MOVES = ops.Identity | ops.Flatten | ops.Reshape
"""Ops that leave the scores in their order."""


def with_scores(ending: Ending, factor: Array, shift: Array | None = None) -> Graph:
    """Return the graph whose scores are ``factor * scores + shift``, its probabilities made of these.

    Where the scores come from a dense layer, a convolution, or sums of integers, its weights or units are changed and
    the network computes what it did; else nodes are added.

    Parameters
    ----------
    ending : Ending
    factor : float array (1,) or (K,)
    shift : float array (K,), optional
    """
    node = _last_layer(ending)
    changed = None if node is None else _folded(ending.graph, node, factor, shift)
    return _appended(ending, factor, shift) if changed is None else _replaced(ending.graph, changed)


def _last_layer(ending: Ending) -> Node | None:
    """Return the node that makes the scores, if nothing else reads them."""
    graph, value = ending.graph, ending.scores
    while (node := graph.by_name.get(value)) is not None and value in graph.only_readers:
        if not isinstance(node.op, MOVES):
            return node
        value = node.inputs[0]
    return None


def _folded(graph: Graph, node: Node, factor: Array, shift: Array | None) -> Mapping[str, Array] | None:
    """Return other constants for the layer, or None if it is not one that can take the change."""
    own = {name: graph.constants[name] for name in node.inputs[1:] if name in graph.constants}
    if any(graph.only_readers.get(name) is not node for name in own) or len(own) != len(node.inputs) - 1:
        return None
    if isinstance(node.op, DequantizeSums):
        return None if shift is not None else {node.inputs[1]: own[node.inputs[1]] * factor.astype(np.float32)}
    if not isinstance(node.op, ops.Linear | ops.Conv2d):
        return None
    weight, *bias = own.values()
    outputs = len(weight)
    if len(factor) not in (1, outputs) or (shift is not None and (len(shift) != outputs or not bias)):
        return None
    rows = np.broadcast_to(factor, outputs).reshape(-1, *(1,) * (weight.ndim - 1))
    changed = {node.inputs[1]: weight * rows}
    if bias:
        changed[node.inputs[2]] = bias[0] * factor + (0.0 if shift is None else shift)
    return changed


def _replaced(graph: Graph, changed: Mapping[str, Array]) -> Graph:
    new = {name: constant(array, graph.constants[name].dtype) for name, array in changed.items()}
    return Graph(graph.inputs, graph.nodes, {**graph.constants, **new}, graph.outputs)


def _appended(ending: Ending, factor: Array, shift: Array | None) -> Graph:
    graph, value = ending.graph, ending.scores
    shape = graph.shapes[value]
    constants, nodes = dict(graph.constants), []
    for op, numbers, what in ((ops.Mul(), factor, "factor"), (ops.Add(), shift, "shift")):
        if numbers is None:
            continue
        name = fresh_name(f"calibrated:{what}", graph.shapes, constants)
        constants[f"{name}.value"] = constant(numbers.reshape(shape) if len(numbers) > 1 else numbers)
        nodes.append(Node(name, op, (value, f"{name}.value")))
        value = name
    turned = {ending.scores: value}
    last = ending.node
    kept = [n for n in graph.nodes if n is not last]
    nodes.append(Node(last.name, last.op, tuple(turned.get(v, v) for v in last.inputs)))
    return Graph(graph.inputs, (*kept, *nodes), constants, graph.outputs)
