"""How the elements of each value are distributed over some images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.quantization.values import Values

BINS = 2048
BATCH = 16


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
    graph: Graph, images: Array, names: Iterable[str], threads: int | None = None
) -> dict[str, Distribution]:
    """Return the distribution of values over images (N, ...); they are computed twice, a few images at a time."""
    wanted = [name for name in names if name not in graph.inputs]
    values = Values(graph, wanted, threads)

    def batches() -> Iterator[dict[str, Array]]:
        ((source, _),) = graph.inputs.items()
        for start in range(0, len(images), BATCH):
            part = np.asarray(images[start : start + BATCH], np.float32)
            yield {source: part, **values({source: part})}

    sums: dict[str, Array] = {}
    lows: dict[str, Array] = {}
    highs: dict[str, Array] = {}
    for found in batches():
        for name, value in found.items():
            by_channel = _by_channel(value)
            sums[name] = sums.get(name, 0) + by_channel.sum(axis=1, dtype=np.float64)
            lows[name] = np.minimum(lows.get(name, np.inf), by_channel.min(axis=1))
            highs[name] = np.maximum(highs.get(name, -np.inf), by_channel.max(axis=1))
    counts = {name: np.zeros(BINS, np.int64) for name in sums}
    for found in batches():
        for name, value in found.items():
            span = (float(lows[name].min()), float(highs[name].max()))
            counts[name] += np.histogram(value, BINS, span if span[0] < span[1] else (span[0], span[0] + 1))[0]
    elements = {name: len(images) * int(np.prod(graph.shapes[name][1:])) for name in sums}
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


def _by_channel(value: Array) -> Array:
    return np.moveaxis(value, 1, 0).reshape(value.shape[1], -1)
