"""How pictures look, as a few gray pixels; near duplicates, such as those of a burst, or one that was saved again."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cnnfast.images.preprocess import Array

LOOK = 16
"""Side of the gray thumbnail that is compared."""

ALIKE = 0.95
"""Correlation of two gray thumbnails from which on pictures count as near duplicates: of 2,000 photographs of cats and
dogs, no two that are different ones reach 0.92."""

FLAT = 4.0
"""Standard deviation of gray values below which a picture has nothing to compare: it is like no other."""

ROWS = 1024


def looks_of(images: Array) -> Array:
    """Return pictures (N, H, W, C) as 16 by 16 gray pixels each, 0 to 255, (N, 256).

    Examples
    --------
    >>> looks_of(np.full((1, 40, 40, 3), 7, np.uint8))[0, :3].tolist()
    [7.0, 7.0, 7.0]
    """
    gray = images.mean(axis=3, dtype=np.float32)
    for axis in (1, 2):
        size = gray.shape[axis]
        # the share of each pixel in each of the 16 parts
        edges = np.linspace(0, size, LOOK + 1)
        begin, end = edges[:-1, None], edges[1:, None]
        share = np.clip(np.minimum(end, np.arange(1, size + 1)) - np.maximum(begin, np.arange(size)), 0, None)
        gray = np.moveaxis(np.tensordot(gray, share / share.sum(axis=1, keepdims=True), (axis, 1)), -1, axis)
    looks: Array = np.rint(gray).reshape(len(images), -1)
    return looks


def groups(looks: Array, alike: float = ALIKE) -> Array:
    """Return the number of the group of each picture: pictures that are alike, directly or through others, share one.

    Parameters
    ----------
    looks : array (N, P)
        Each picture as a few gray pixels, 0 to 255.
    alike : float
        Correlation from which on two are near duplicates.

    Returns
    -------
    int array (N,)
        The position of the first picture of each one's group.

    Examples
    --------
    >>> looks = np.array([[0, 50, 100], [90, 5, 0], [10, 58, 110]])
    >>> groups(looks).tolist()
    [0, 1, 0]
    """
    return joined(((i, j) for i, j, _ in pairs(looks, alike)), len(looks))


def joined(pairs: Iterable[tuple[int, int]], count: int) -> Array:
    """Return the position of the first thing of each one's group, where each pair belongs to one group.

    Examples
    --------
    >>> joined([(1, 3), (3, 4)], 5).tolist()
    [0, 1, 2, 1, 1]
    """
    first = np.arange(count)
    for i, j in pairs:
        a, b = _root(first, i), _root(first, j)
        first[max(a, b)] = min(a, b)
    return np.array([_root(first, i) for i in range(count)], np.int64)


def normalized(looks: Array) -> Array:
    """Return looks whose products are their correlations, float32 (N, P)."""
    values = looks.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    flat = values.std(axis=1) < FLAT
    norm = np.sqrt((values**2).sum(axis=1, keepdims=True))
    values /= np.maximum(norm, 1e-6)
    values[flat] = 0
    return values


def pairs(looks: Array, alike: float = ALIKE) -> list[tuple[int, int, float]]:
    """Return the pairs of pictures that are alike, with their correlation."""
    values = normalized(looks)
    found = []
    for start in range(0, len(values), ROWS):
        correlation = values[start : start + ROWS] @ values[start:].T
        for i, j in zip(*np.nonzero(correlation >= alike), strict=True):
            if j > i:
                found.append((start + int(i), start + int(j), float(correlation[i, j])))
    return found


def _root(first: Array, i: int) -> int:
    while first[i] != i:
        first[i] = first[first[i]]
        i = int(first[i])
    return i
