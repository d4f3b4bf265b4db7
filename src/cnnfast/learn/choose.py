"""Which pictures are most worth a label next: uncertain ones that are unlike all that have one.

Without any label the pictures that are typical come first: one for each of as many clusters (Hacohen, Dekel and
Weinshall 2022). Afterwards pictures are chosen one by one by the product of how uncertain a head is about them and of
their distance from all that are labeled or chosen (farthest first: Sener and Savarese 2018). So a question is never
asked twice, and what is merely odd, but certain, is not asked about. ``bench/label_curves.py`` compares this with
random choice.
"""

from __future__ import annotations

import numpy as np

from cnnfast.ops import Array
from cnnfast.runtime.random import generator

ROUNDS = 20


def next_to_label(features: Array, labeled: Array, probabilities: Array | None, count: int, seed: int = 0) -> list[int]:
    """Return the numbers of the pictures to label next, the most useful one first.

    Parameters
    ----------
    features : float array (N, F)
    labeled : int array (M,)
        The numbers of those that have a label.
    probabilities : float array (N, K), optional
        By a head that learned from those; None where there are none.
    count : int
        How many; all that are left if there are no more.
    seed : int
        Of where clusters begin.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    >>> sorted(next_to_label(x, np.array([], int), None, 3))[::2]
    [0, 4]
    """
    free = np.setdiff1d(np.arange(len(features)), labeled)
    count = min(count, len(free))
    if not count:
        return []
    x = features.astype(np.float64)
    if probabilities is None:
        return [int(i) for i in free[middles(x[free], count, seed)]]
    top = np.sort(probabilities[free], axis=1)
    uncertainty = 1 - (top[:, -1] - top[:, -2])
    nearest = np.full(len(free), np.inf) if not len(labeled) else distances(x[free], x[labeled]).min(axis=1)
    chosen: list[int] = []
    for _ in range(count):
        worth = uncertainty * np.sqrt(nearest)
        worth[chosen] = -1  # once each, even where all others are equal to labeled ones
        chosen.append(int(worth.argmax()))
        nearest = np.minimum(nearest, distances(x[free], x[free[chosen[-1:]]])[:, 0])
    return [int(i) for i in free[chosen]]


def middles(x: Array, count: int, seed: int = 0) -> Array:
    """Return the number of the point next to the middle of each of some clusters, by k-means."""
    middle = x[_spread(x, count, seed)]
    for _ in range(ROUNDS):
        own = distances(x, middle).argmin(axis=1)
        moved = np.stack([x[own == k].mean(axis=0) if (own == k).any() else middle[k] for k in range(count)])
        if np.array_equal(moved, middle):
            break
        middle = moved
    far = distances(x, middle)
    chosen = np.zeros(count, np.int64)
    for k in range(count):
        chosen[k] = far[:, k].argmin()
        far[chosen[k]] = np.inf  # each point once
    return chosen


def _spread(x: Array, count: int, seed: int) -> list[int]:
    """Return points to begin with, each chosen by chance in proportion to its squared distance (k-means++)."""
    chance = generator(seed, 0, "clusters")
    chosen = [int(distances(x, x.mean(axis=0)[None])[:, 0].argmin())]
    nearest = distances(x, x[chosen])[:, 0]
    while len(chosen) < count:
        total = nearest.sum()
        share = nearest / total if total > 0 else np.full(len(x), 1 / len(x))
        chosen.append(int(chance.choice(len(x), p=share)))
        nearest = np.minimum(nearest, distances(x, x[chosen[-1:]])[:, 0])
    return chosen


def distances(x: Array, y: Array) -> Array:
    """Return the squared distances of points (N, F) and (M, F), (N, M)."""
    squared: Array = (x**2).sum(axis=1)[:, None] - 2 * (x @ y.T) + (y**2).sum(axis=1)
    return np.maximum(squared, 0)
