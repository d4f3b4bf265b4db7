"""Cross-layer equalization: channels of a value brought to like ranges, and the layer behind made up for it.

A depthwise network has channels of very different ranges in one value, and all of them share one scale. Between two
layers a channel may be divided by any positive number, if the weights that read it are multiplied by the same: Nagel
et al., 2019. Everything in between must commute with a positive factor.

A clip from zero, such as ReLU6, does not: divided by f, a channel would have to be limited to 6 / f. But only channels
that reach the limit need it. They stay as they are, and others may be divided by anything with which they, too, stay
below the limit; so the clip stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.integers import LAYERS
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Array
from cnnfast.quantization.statistics import Distribution

LETS_FACTORS_PASS = (ops.Relu, ops.LeakyRelu, ops.PRelu, ops.MaxPool, ops.AvgPool, ops.GlobalAvgPool, ops.GlobalMaxPool)
LARGEST = 64.0
"""No channel is divided or multiplied by more."""

HEADROOM = 1.25
"""How many times as far from zero as the images took it a channel may get before a clip limits it."""


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
    for node in graph.nodes:
        pair = _pair(graph, node)
        if pair is None or any(value not in found for value in (pair.value, *pair.clips)):
            continue
        weight, peak = constants[changed[pair.reader.name].inputs[1]], found[pair.value].peak
        ideal = _ideal(peak, pair.reader.op, weight)
        # a flattened image has other channels than the layer before it made
        if peak.shape != ideal.shape or len(ideal) != graph.shapes[node.name][0]:
            continue
        factor = _factors(ideal, {limit: found[clip].peak for clip, limit in pair.clips.items()})
        if factor is None:
            continue
        for which, scaled in ((node, _divided), (pair.reader, _multiplied)):
            here = changed[which.name]
            inputs = list(here.inputs)
            for index, array in scaled(here.op, [constants[v] for v in here.inputs[1:]], factor):
                inputs[index] = fresh_name(f"{which.name}.equalized", constants, names, graph.shapes)
                constants[inputs[index]] = constant(array, np.float64)
            changed[which.name] = Node(here.name, here.op, tuple(inputs))
    nodes = tuple(changed[node.name] for node in graph.nodes)
    return Graph(graph.inputs, nodes, constants, graph.outputs).cut(graph.outputs)


@frozen
class _Pair:
    """The layer that alone reads what a layer makes, the value that it reads, and the clips on the way with limits."""

    reader: Node
    value: str
    clips: Mapping[str, float]


def _pair(graph: Graph, node: Node) -> _Pair | None:
    value = node.name
    clips: dict[str, float] = {}
    if not isinstance(node.op, LAYERS):
        return None
    while (reader := graph.only_readers.get(value)) is not None:
        if isinstance(reader.op, LAYERS):
            fits = not isinstance(reader.op, ops.Linear) or len(graph.shapes[node.name]) == 1
            return _Pair(reader, value, clips) if fits else None
        if isinstance(reader.op, ops.Clip) and reader.op.low == 0 < reader.op.high:
            clips[reader.name] = reader.op.high
        elif not isinstance(reader.op, LETS_FACTORS_PASS):
            return None
        value = reader.name
    return None


def clips_between(graph: Graph) -> set[str]:
    """Return the values of clips whose distribution `equalized` needs, besides those that layers read."""
    return {clip for node in graph.nodes if (pair := _pair(graph, node)) is not None for clip in pair.clips}


def _ideal(peak: Array, reader: ops.Op, weight: Array) -> Array:
    """Return what to divide channels by, inf or NaN where there is nothing to be had, so that most bits are used.

    The range of a value and that of the weights that read it, whose channels share a scale, are made alike: the less
    one of them gets, the more does the other. Channels of a depthwise layer do not share any.
    """
    if weight.shape[1] == 1:
        return peak
    size = np.abs(weight.astype(np.float64)).reshape(*weight.shape[:2], -1).max(axis=2)
    groups = reader.groups if isinstance(reader, ops.Conv2d) else 1
    reach = size.reshape(groups, -1, size.shape[1]).max(axis=1).reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ideal: Array = np.sqrt(peak / reach) if peak.shape == reach.shape else reach
    return ideal


def _factors(ideal: Array, clipped: Mapping[float, Array]) -> Array | None:
    """Return what each channel is divided by, or None if all stay as they are.

    Parameters
    ----------
    ideal : array (C,)
    clipped : mapping of float to array (C,)
        The limits on the way, and how far each channel gets there: those that reach one stay as they are, and no other
        may get there.
    """
    usable = np.isfinite(ideal) & (ideal > 0)
    fixed = np.zeros(len(ideal), bool)
    for limit, peak in clipped.items():
        fixed |= peak >= limit
    if not (usable & ~fixed).any():
        return None
    # what cannot change is the measure; otherwise the mean stays, so that the scale of the whole value does
    measure = usable & fixed if (usable & fixed).any() else usable
    factor = np.where(usable, ideal / np.exp(np.log(ideal[measure]).mean()), 1.0)
    factor = np.clip(factor, 1 / LARGEST, LARGEST)
    for limit, peak in clipped.items():
        factor = np.maximum(factor, np.minimum(HEADROOM * peak / limit, 1.0))
    result: Array = np.where(fixed, 1.0, factor)
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
