"""What each layer alone does to the network when it computes with integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.integers import LAYERS, integer_weights
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.detour import Detour
from cnnfast.quantization.ranges import rounded
from cnnfast.quantization.runs import alone


@frozen
class Sensitivity:
    """A layer alone in integers, all others in float.

    Attributes
    ----------
    layer : str
    signal_to_noise : float
        Of the layer's own result, in decibels.
    agreement : float
        Part of the images whose most probable class stays.
    accuracy : float or None
        Of the network, where labels were given.
    """

    layer: str
    signal_to_noise: float
    agreement: float
    accuracy: float | None


def sensitivities(
    graph: Graph,
    grids: Mapping[str, Grid],
    layers: Sequence[str],
    detour: Detour,
    labels: Array | None = None,
) -> tuple[Sensitivity, ...]:
    """Return a row for each layer, the most sensitive first.

    Parameters
    ----------
    graph : Graph
        Of floats, up to the scores.
    grids : mapping of str to Grid
        Of what the layers read.
    layers : sequence of str
    detour : Detour
        Of the same graph, with some images.
    labels : int array (N,), optional
        The number of the class of each image.
    """
    detour.compute(v for name in layers for v in (name, graph.by_name[name].inputs[0]))
    counted = detour.runs.counted(layers, "each layer alone")
    rows = [_alone(graph.by_name[name], grids, detour, labels) for name in counted]
    return tuple(sorted((row for row in rows if row is not None), key=_most_sensitive_first))


def _most_sensitive_first(row: Sensitivity) -> tuple[float, float, float]:
    return (row.agreement if row.accuracy is None else row.accuracy, row.agreement, row.signal_to_noise)


def _alone(node: Node, grids: Mapping[str, Grid], detour: Detour, labels: Array | None) -> Sensitivity | None:
    grid = grids[node.inputs[0]]
    layer = in_integers(detour.graph, node, grid)
    if layer is None:
        return None
    real = detour.value(node.name)
    given = {node.inputs[0]: rounded(detour.value(node.inputs[0]), grid)}
    (result,) = detour.runs.function(layer, keep=False)(given)
    scores = detour.through(node.name, result)
    if scores is None:
        return None
    top, before = (most_probable(s) for s in (scores, detour.output))
    accuracy = None if labels is None else float((top == labels).mean())
    return Sensitivity(node.name, decibels(real, result), float((top == before).mean()), accuracy)


def in_integers(graph: Graph, node: Node, grid: Grid) -> Graph | None:
    """Return a layer by itself, with the weights and the bias that its integers stand for; None if it has none."""
    weights = [graph.constants[v] for v in node.inputs[1:]]
    try:
        integers = integer_weights(weights[0], weights[1] if weights[1:] else None, grid, name=node.name)
    except GraphError:
        return None
    bias = integers.bias.astype(np.float64) * integers.unit
    constants = {"weight": constant(integers.real(grid.scale)), "bias": constant(bias)}
    return alone(graph, Node(node.name, node.op, (node.inputs[0], *constants)), constants)


def most_probable(scores: Array) -> Array:
    """Return the number of the most probable class of each image."""
    flat = scores.reshape(len(scores), -1)
    result: Array = flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0).astype(np.int64)
    return result


def decibels(signal: Array, found: Array) -> float:
    """Return the ratio of signal and noise; infinite without noise."""
    power = float(np.square(signal.astype(np.float64)).sum())
    noise = float(np.square(found.astype(np.float64) - signal).sum())
    if noise == 0 or power == 0:
        return float("inf") if noise == 0 else float("-inf")
    return 10 * float(np.log10(power / noise))


def layers_of(graph: Graph, in_float: Mapping[str, str]) -> list[str]:
    """Return the layers of a float graph that compute with integers."""
    return [n.name for n in graph.nodes if isinstance(n.op, LAYERS) and n.name not in in_float]
