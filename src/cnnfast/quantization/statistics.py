"""How the elements of each value are distributed over some images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.quantization.runs import Runs, Values

BINS = 2048
BATCH = 64


@frozen
class Distribution:
    """The elements of one value.

    Attributes
    ----------
    low, high : float
        The smallest and the largest.
    counts : int array (BINS,)
        How many are in each of `BINS` equal parts of that range.
    mean, peak : float64 array (C,)
        Of each channel, the mean and the largest magnitude.
    """

    low: float
    high: float
    counts: Array
    mean: Array
    peak: Array

    @property
    def centers(self) -> Array:
        """The middle of each part."""
        edges = np.linspace(self.low, self.high, BINS + 1)
        middle: Array = (edges[:-1] + edges[1:]) / 2
        return middle


def distributions(
    graph: Graph, images: Array, names: Iterable[str], runs: Runs | None = None
) -> dict[str, Distribution]:
    """Return the distribution of values over images (N, ...); they are computed twice, a few images at a time.

    Raises
    ------
    GraphError
        If a value is not finite.
    """
    runs = runs or Runs()
    ((source, _),) = graph.inputs.items()
    listed = list(names)
    values = Values(graph, [name for name in listed if name != source], runs)
    starts = range(0, len(images), BATCH)

    def batches(what: str) -> Iterator[dict[str, Array]]:
        for start in runs.counted(starts, what):
            part = np.asarray(images[start : start + BATCH], np.float32)
            yield ({source: part} if source in listed else {}) | values({source: part})

    sums: dict[str, Array] = {}
    lows: dict[str, Array] = {}
    highs: dict[str, Array] = {}
    for found in batches("smallest and largest values"):
        for name, value in found.items():
            by_channel = value.reshape(*value.shape[:2], -1)
            sums[name] = sums.get(name, 0) + by_channel.sum(axis=(0, 2), dtype=np.float64)
            lows[name] = np.minimum(lows.get(name, np.inf), by_channel.min(axis=(0, 2)))
            highs[name] = np.maximum(highs.get(name, -np.inf), by_channel.max(axis=(0, 2)))
    for name, total in sums.items():
        if not np.isfinite(total).all():
            raise GraphError(f"the value {name!r} is not finite for these images, so it has no range that bytes cover")
    counts = {name: np.zeros(BINS, np.int64) for name in sums}
    for found in batches("distributions of values"):
        for name, value in found.items():
            counts[name] += histogram(value, float(lows[name].min()), float(highs[name].max()))
    elements = {name: len(images) * math.prod(graph.shapes[name][1:]) for name in sums}
    return {
        name: Distribution(
            float(lows[name].min()),
            float(highs[name].max()),
            counts[name],
            sums[name] / elements[name],
            np.maximum(np.abs(lows[name]), np.abs(highs[name])).astype(np.float64),
        )
        for name in sums
    }


def histogram(values: Array, low: float, high: float) -> Array:
    """Return how many elements are in each of `BINS` equal parts of a range that holds them all.

    An element at an edge may be counted on either side of it: this is several times as fast as `numpy.histogram`.

    Examples
    --------
    >>> histogram(np.float32([0, 1, 1, 2]), 0.0, 2.0)[[0, BINS // 2, BINS - 1]]
    array([1, 2, 1])
    """
    parts = (values.reshape(-1) - np.float32(low)) * np.float32(BINS / (high - low) if high > low else 0.0)
    counts: Array = np.bincount(np.minimum(parts.astype(np.int32), BINS - 1), minlength=BINS)
    return counts
