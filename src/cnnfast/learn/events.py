"""Bursts: pictures that were taken one soon after the other in one folder show the same, and are judged together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np

from cnnfast.images.looks import joined
from cnnfast.ops import Array

LEAST = 1e-12
"""Probabilities below it count as this: a zero would decide for all pictures of an event."""


def events(folders: Sequence[str], times: Sequence[datetime | None], seconds: float) -> Array:
    """Return the number of the event of each picture, from 0 in the order of the pictures.

    Pictures of one folder belong to one event if each was taken at most ``seconds`` after the one before. A picture
    without a time is an event of its own.

    Examples
    --------
    >>> at = [datetime(2024, 5, 1, 6, 30, s) for s in (0, 50, 10)]
    >>> events(["a", "a", "a"], at, 30).tolist(), events(["a", "a", "b"], at, 60).tolist()
    ([0, 1, 0], [0, 0, 1])
    """
    by_folder: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for i, (folder, time) in enumerate(zip(folders, times, strict=True)):
        if time is not None:
            # offsets from UTC are not compared: within a folder there is one clock
            by_folder[folder].append((time.replace(tzinfo=None), i))
    pairs = []
    for members in by_folder.values():
        members.sort()
        for (before, i), (after, j) in pairwise(members):
            if (after - before).total_seconds() <= seconds:
                pairs.append((i, j))
    _, numbers = np.unique(joined(pairs, len(folders)), return_inverse=True)
    event: Array = numbers.reshape(-1)
    return event


def together(scores: Array, event: Array) -> Array:
    """Return for each picture the probabilities of its event: the mean of log-probabilities, made to sum to 1.

    Parameters
    ----------
    scores : array (N, K)
        The probabilities of each picture.
    event : int array (N,)

    Examples
    --------
    >>> together(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])).round(3).tolist()
    [[0.71, 0.29], [0.71, 0.29]]
    """
    logs = np.log(np.maximum(scores.astype(np.float64), LEAST))
    count = np.bincount(event)
    mean = np.stack([np.bincount(event, column) / count for column in logs.T], axis=1)
    powers = np.exp(mean - mean.max(axis=1, keepdims=True))
    of_each: Array = (powers / powers.sum(axis=1, keepdims=True))[event]
    return of_each
