"""Multiply batch-norm into the weights of the layer in front of it."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.affine import Affine, affine_of
from cnnfast.graph.passes.rewrite import float64, fresh_name, read_only, rebuilt
from cnnfast.ops import Conv2d, Linear, MaxPool
from cnnfast.ops.base import Array

LARGEST = float(np.finfo(np.float32).max)
"""A weight beyond this would become infinite where a network runs in float32."""


MAX_COPIED = 1 << 25
"""Elements that folding may add to those of all constants: many layers may share a weight and have different norms."""


@frozen
class _Chain:
    """A layer and what follows it: the nodes that stay, by the name of their new result, and those that go."""

    affine: Affine
    stays: dict[str, Node]
    goes: frozenset[str]


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold batch-norm, and constants added or multiplied per channel, into the convolution or linear layer in front.

    A max-pool in between does not matter as long as every factor is positive: ``max(x) * a + b = max(x * a + b)``. What
    cannot be folded stays as it is.
    """
    constants = dict(graph.constants)
    replaced: dict[str, Node] = {}
    gone: set[str] = set()
    left = MAX_COPIED + sum(array.size for array in graph.constants.values())
    for node in graph.nodes:
        if not isinstance(node.op, Conv2d | Linear) or left < graph.constants[node.inputs[1]].size:
            continue
        chain = _chain(graph, node)
        weights = _folded(graph, node, chain.affine) if chain.goes else None
        if weights is None:
            continue
        left -= weights[0].size
        gone |= chain.goes
        replaced.update(_renamed(chain, _stored(node, weights, constants, graph)))
    if not gone:
        return graph
    nodes = (replaced.get(node.name, node) for node in graph.nodes if node.name not in gone)
    return rebuilt(graph, nodes, constants)


def _chain(graph: Graph, layer: Node) -> _Chain:
    """Follow a layer through affine nodes and max-pools as long as each result has one reader."""
    affine = Affine.identity(graph.shapes[layer.name][0])
    staying, names, goes = [layer], [layer.name], set()
    value = layer.name
    while (reader := graph.only_readers.get(value)) is not None:
        step = affine_of(graph, reader, value)
        if step is not None and (len(staying) == 1 or step.keeps_order):
            affine = affine.then(step)
            names[-1] = reader.name
            goes.add(reader.name)
        elif isinstance(reader.op, MaxPool):
            staying.append(reader)
            names.append(reader.name)
        else:
            break
        value = reader.name
    return _Chain(affine, dict(zip(names, staying, strict=True)), frozenset(goes))


def _folded(graph: Graph, layer: Node, affine: Affine) -> tuple[Array, ...] | None:
    """Return the weight and bias that include the affine map, or None if they would not be finite in float32."""
    stored = graph.constants[layer.inputs[1]]
    # float32 becomes float64 bit by bit on the way, without a copy of all weights
    weight = stored * affine.factor.reshape(-1, *(1,) * (stored.ndim - 1))
    bias = affine.offset
    if len(layer.inputs) > 2:
        bias = bias + float64(graph.constants[layer.inputs[2]]) * affine.factor
    if not (_largest(weight) <= LARGEST and _largest(bias) <= LARGEST):
        return None
    return (weight, bias) if len(layer.inputs) > 2 or bias.any() else (weight,)


def _largest(values: Array) -> float:
    """Return the largest magnitude, NaN if there is one."""
    return float(np.maximum(values.max(), -values.min()))


def _stored(layer: Node, weights: tuple[Array, ...], constants: dict[str, Array], graph: Graph) -> Node:
    """Enter the new weights among the constants and return the layer that reads them."""
    inputs = [layer.inputs[0]]
    for kind, array in zip(("weight", "bias"), weights, strict=False):
        name = fresh_name(f"{layer.name}.{kind}.folded", graph.shapes, constants)
        constants[name] = read_only(array)
        inputs.append(name)
    return Node(layer.name, layer.op, tuple(inputs))


def _renamed(chain: _Chain, layer: Node) -> dict[str, Node]:
    """Return the nodes that stay, by their old name; each takes the name of the last node that went into it."""
    replaced: dict[str, Node] = {}
    value = layer.inputs[0]
    for name, old in chain.stays.items():
        node = layer if old.name == layer.name else old
        replaced[old.name] = Node(name, node.op, (value, *node.inputs[1:]))
        value = name
    return replaced
