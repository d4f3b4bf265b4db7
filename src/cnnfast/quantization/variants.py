"""One attempt: a float graph, its ranges, and the integers made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Graph
from cnnfast.graph.integers import LAYERS, IntegerGraph, grid_of_range, to_integers
from cnnfast.ops import Array, LogSoftmax, Sigmoid, Softmax
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.bias import bias_corrected
from cnnfast.quantization.ranges import best_grids
from cnnfast.quantization.statistics import Distribution, distributions
from cnnfast.quantization.values import Detour, outputs_of

MOST_TRIED = 128
"""How many images the rules of ranges are tried with, at most."""

MOST_ELEMENTS = 1 << 27
"""How many elements the values of the images may have that rules are tried with; fewer images are taken then."""


def scores_of(graph: Graph) -> Graph:
    """Return a graph without the softmax or sigmoid at its end: errors of scores tell more than of probabilities."""
    (output,) = graph.outputs
    last = graph.by_name.get(output)
    if last is None or not isinstance(last.op, Softmax | LogSoftmax | Sigmoid) or last.inputs[0] not in graph.by_name:
        return graph
    return graph.cut([last.inputs[0]])


@frozen
class Calibrated:
    """A float graph and what its values become.

    Attributes
    ----------
    graph : Graph
    found : mapping of str to Distribution
        Of the values that are rounded, and of those that layers read.
    grids : mapping of str to Grid
        Of the values that are rounded.
    rules : mapping of str to str
        By which each of them was found.
    detour : Detour
        Of the graph up to its scores, with some of the images.
    """

    graph: Graph
    found: Mapping[str, Distribution]
    grids: Mapping[str, Grid]
    rules: Mapping[str, str]
    detour: Detour

    def integers(self, in_float: Mapping[str, str], corrected: bool) -> IntegerGraph:
        """Return the integers, with corrected biases or with those that there are."""
        plain = to_integers(self.graph, self.grids, in_float)
        if not corrected:
            return plain
        return to_integers(bias_corrected(self.graph, plain.grids, self.found, plain.in_float), self.grids, in_float)


def calibrated(graph: Graph, images: Array, in_float: Mapping[str, str], threads: int | None) -> Calibrated:
    """Find the grids of a float graph.

    Parameters
    ----------
    graph : Graph
        Nothing fused, batch-norm folded.
    images : float32 array (N, ...)
    in_float : mapping of str to str
        Nodes that stay in float.
    threads : int, optional
    """
    everything = {value: grid_of_range(-1, 1) for value in graph.shapes if value not in graph.constants}
    wanted = to_integers(graph, everything, in_float).rounded
    read = {node.inputs[0] for node in graph.nodes if isinstance(node.op, LAYERS)}
    found = distributions(graph, images, [v for v in graph.shapes if v in wanted | read], threads)
    scores = scores_of(graph)
    tried = _few(graph, images)
    detour = Detour(scores, tried, threads)
    grids, rules = best_grids([v for v in graph.shapes if v in wanted], found, detour)
    return Calibrated(graph, found, grids, rules, detour)


def _few(graph: Graph, images: Array) -> Array:
    """Return as many of the images, evenly chosen, as there is room for."""
    elements = sum(int(np.prod(shape)) for value, shape in graph.shapes.items() if value not in graph.constants)
    count = min(len(images), MOST_TRIED, max(MOST_ELEMENTS // elements, 8))
    chosen: Array = images[evenly(len(images), count)]
    return chosen


def evenly(images: int, count: int) -> Array:
    """Return the numbers of ``count`` images, evenly distributed over all."""
    return np.linspace(0, images - 1, count).astype(np.int64)


def error_of(integers: IntegerGraph, attempt: Calibrated, images: Array, threads: int | None) -> float:
    """Return the mean squared error of the scores."""
    found = outputs_of(scores_of(integers.graph), images, threads)
    return float(np.square(found.astype(np.float64) - attempt.detour.output[: len(images)]).mean())
