"""Cross-layer equalization: channels of a value brought to like ranges, and the layer behind made up for it.

A depthwise network has channels of very different ranges in one value, and all of them share one scale. Between two
layers a channel may be divided by any positive number, if the weights that read it are multiplied by the same: Nagel
et al., 2019. Everything in between must commute with a positive factor.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast import ops
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.integers import LAYERS
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.quantization.statistics import Distribution

LETS_FACTORS_PASS = (ops.Relu, ops.LeakyRelu, ops.PRelu, ops.MaxPool, ops.AvgPool, ops.GlobalAvgPool, ops.GlobalMaxPool)
LARGEST = 64.0
"""No channel is divided or multiplied by more."""


def equalized(graph: Graph, found: Mapping[str, Distribution]) -> Graph:
    """Return a graph that computes the same, with the ranges of channels between layers made alike.

    Parameters
    ----------
    graph : Graph
        Of floats, nothing fused.
    found : mapping of str to Distribution
        Of the values between the layers; those that are missing stay as they are.
    """
    constants = dict(graph.constants)
    names = {v: v for v in graph.constants}
    changed: dict[str, Node] = {node.name: node for node in graph.nodes}
    peaks = {name: value.peak for name, value in found.items()}
    for node in graph.nodes:
        reader, value = _pair(graph, node)
        if reader is None or value not in peaks:
            continue
        factor = _factors(peaks[value], _reach(reader.op, constants[_weight(changed, reader)]))
        if factor is None or len(factor) != graph.shapes[node.name][0]:
            continue
        for which, scaled in ((node, _divided), (reader, _multiplied)):
            here = changed[which.name]
            inputs = list(here.inputs)
            for index, array in scaled(here.op, [constants[v] for v in here.inputs[1:]], factor):
                inputs[index] = fresh_name(f"{which.name}.equalized", constants, names, graph.shapes)
                constants[inputs[index]] = constant(array, np.float64)
            changed[which.name] = Node(here.name, here.op, tuple(inputs))
    nodes = tuple(changed[node.name] for node in graph.nodes)
    return Graph(graph.inputs, nodes, constants, graph.outputs).cut(graph.outputs)


def _weight(changed: Mapping[str, Node], node: Node) -> str:
    return changed[node.name].inputs[1]


def _pair(graph: Graph, node: Node) -> tuple[Node | None, str]:
    """Return the layer that alone reads what a layer makes, and the value that it reads."""
    value = node.name
    if not isinstance(node.op, LAYERS):
        return None, value
    while (reader := graph.only_readers.get(value)) is not None:
        if isinstance(reader.op, LAYERS):
            fits = not isinstance(reader.op, ops.Linear) or len(graph.shapes[node.name]) == 1
            return (reader if fits else None), value
        if not isinstance(reader.op, LETS_FACTORS_PASS):
            break
        value = reader.name
    return None, value


def _reach(op: ops.Op, weight: Array) -> Array:
    """Return the largest weight that reads each channel."""
    size = np.abs(weight.astype(np.float64)).reshape(*weight.shape[:2], -1).max(axis=2)
    groups = op.groups if isinstance(op, ops.Conv2d) else 1
    by_group: Array = size.reshape(groups, -1, size.shape[1]).max(axis=1).reshape(-1)
    return by_group


def _factors(peak: Array, reach: Array) -> Array | None:
    """Return what each channel is divided by, or None where channels do not belong to each other."""
    if peak.shape != reach.shape:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.sqrt(peak / reach)
    usable = np.isfinite(factor) & (factor > 0)
    if not usable.any():
        return None
    # the mean stays, so that the scale of the whole value does
    factor = np.where(usable, factor / np.exp(np.log(factor[usable]).mean()), 1.0)
    result: Array = np.clip(factor, 1 / LARGEST, LARGEST)
    return result


def _divided(op: ops.Op, weights: list[Array], factor: Array) -> list[tuple[int, Array]]:
    """Return weight and bias of a layer whose results are divided, by the place of each among the inputs."""
    rows = factor.reshape(-1, *(1,) * (weights[0].ndim - 1))
    scaled = [(1, weights[0].astype(np.float64) / rows)]
    return scaled + [(2, bias.astype(np.float64) / factor) for bias in weights[1:]]


def _multiplied(op: ops.Op, weights: list[Array], factor: Array) -> list[tuple[int, Array]]:
    """Return the weight of a layer that reads divided channels."""
    weight = weights[0].astype(np.float64)
    groups = op.groups if isinstance(op, ops.Conv2d) else 1
    by_group = np.repeat(factor.reshape(groups, -1), len(weight) // groups, axis=0)
    return [(1, weight * by_group.reshape(*weight.shape[:2], *(1,) * (weight.ndim - 2)))]
