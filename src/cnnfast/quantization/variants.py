"""A float graph with what calibration measures of it: the distributions of its values, and what some images make."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Graph
from cnnfast.graph.integers import LAYERS, IntegerGraph, grid_of_range, to_integers
from cnnfast.ops import Array, LogSoftmax, Sigmoid, Softmax
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.detour import Detour
from cnnfast.quantization.equalize import clips_between
from cnnfast.quantization.ranges import RULES, least_squares
from cnnfast.quantization.runs import Runs
from cnnfast.quantization.statistics import Distribution, distributions

MOST_TRIED = 128
"""How many images the rules of ranges are tried with, at most."""

MOST_ELEMENTS = 1 << 26
"""How many elements the values of the images may have that rules are tried with; fewer images are taken then."""

MOST_FLOPS = 2_000_000_000_000
"""How much all trials of ranges may compute, some seconds on one core; fewer images are taken then."""

FEWEST_TRIED = 16
"""How many images are taken in any case, and how many at a time: a group."""


def scores_of(graph: Graph) -> Graph:
    """Return a graph without the softmax or sigmoid at its end: errors of scores tell more than of probabilities."""
    (output,) = graph.outputs
    last = graph.by_name.get(output)
    if last is None or not isinstance(last.op, Softmax | LogSoftmax | Sigmoid) or last.inputs[0] not in graph.by_name:
        return graph
    return graph.cut([last.inputs[0]])


@frozen
class Measured:
    """A float graph with the distributions of its values.

    Attributes
    ----------
    graph : Graph
    found : mapping of str to Distribution
        Of the values that are rounded, of those that layers read, and of clips.
    rounded : frozenset of str
        The values that are rounded.
    detour : Detour
        Of the graph up to its scores, with some of the images.
    """

    graph: Graph
    found: Mapping[str, Distribution]
    rounded: frozenset[str]
    detour: Detour

    @property
    def likely_grids(self) -> dict[str, Grid]:
        """Grids that are found without a trial: those with the least squared error of each value."""
        return {value: least_squares(self.found[value]) for value in self.rounded}

    def error(self, integers: IntegerGraph, images: int) -> float:
        """Return the mean squared error of the scores of that many of the detour's images."""
        found = self.detour.runs.output(scores_of(integers.graph), self.detour.images[:images])
        return float(np.square(found.astype(np.float64) - self.detour.output[:images]).mean())


def measured(graph: Graph, images: Array, in_float: Mapping[str, str], runs: Runs) -> Measured:
    """Find the distributions of the values of a float graph.

    Parameters
    ----------
    graph : Graph
        Nothing fused, batch-norm folded.
    images : float32 array (N, ...)
    in_float : mapping of str to str
        Nodes that stay in float.
    runs : Runs
    """
    everything = {value: grid_of_range(-1, 1) for value in graph.shapes if value not in graph.constants}
    wanted = to_integers(graph, everything, in_float).rounded
    read = {node.inputs[0] for node in graph.nodes if isinstance(node.op, LAYERS)} | clips_between(graph)
    found = distributions(graph, images, [v for v in graph.shapes if v in wanted | read], runs)
    scores = scores_of(graph)
    few = _few(graph, images, len(wanted) * RULES)
    return Measured(graph, found, wanted, Detour(scores, few, runs))


def _few(graph: Graph, images: Array, trials: int) -> Array:
    """Return as many of the images, evenly chosen, as there are room and time for."""
    elements = sum(math.prod(shape) for value, shape in graph.shapes.items() if value not in graph.constants)
    flops = sum(graph.cost(node).flops for node in graph.nodes)
    # each trial computes what is behind a value: on average half of the network
    possible = min(MOST_TRIED, MOST_ELEMENTS // elements, MOST_FLOPS // max(trials * flops // 2, 1))
    count = max(possible // FEWEST_TRIED, 1) * FEWEST_TRIED
    chosen: Array = images[evenly(len(images), min(len(images), count))]
    return chosen


def evenly(images: int, count: int) -> Array:
    """Return the numbers of ``count`` images, evenly distributed over all."""
    return np.linspace(0, images - 1, count).astype(np.int64)
