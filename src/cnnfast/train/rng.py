"""Random numbers that depend on nothing but the seed, the epoch, what they are for, and the image.

Philox is a function of a key and a counter (Salmon, Moraes, Dror and Shaw 2011). Every use in every epoch has a key of
its own, and every image its place in the table. So threads, batches and interruptions change nothing.
"""

from __future__ import annotations

import zlib

import numpy as np

from cnnfast.ops import Array


def generator(seed: int, epoch: int, use: str) -> np.random.Generator:
    """Return the generator of one use in one epoch.

    Examples
    --------
    >>> float(generator(0, 3, "order").random()) == float(generator(0, 3, "order").random())
    True
    """
    key = np.array([seed, epoch << 32 | zlib.crc32(use.encode())], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def uniform(seed: int, epoch: int, use: str, images: int, draws: int) -> Array:
    """Return numbers in [0, 1): float32 (images, draws), a row an image.

    Examples
    --------
    >>> uniform(0, 1, "shift", images=5, draws=2).shape
    (5, 2)
    """
    return generator(seed, epoch, use).random((images, draws), np.float32)


def order(seed: int, epoch: int, images: int) -> Array:
    """Return the order in which an epoch goes through the images: int64 (images,)."""
    return generator(seed, epoch, "order").permutation(images)
