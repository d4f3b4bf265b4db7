"""Random numbers that depend on nothing but the seed, the epoch, what they are for, and the image.

Every use in every epoch has its own generator (see `cnnfast.runtime.random`), and every image its own row of numbers,
so that threads, batches and interruptions change nothing.
"""

from __future__ import annotations

import numpy as np

from cnnfast.ops import Array
from cnnfast.runtime.random import generator


def uniform(seed: int, epoch: int, use: str, images: int, draws: int) -> Array:
    """Return numbers in [0, 1): float32 (images, draws), one row per image.

    Examples
    --------
    >>> uniform(0, 1, "shift", images=5, draws=2).shape
    (5, 2)
    """
    return generator(seed, epoch, use).random((images, draws), np.float32)


def order(seed: int, epoch: int, images: int) -> Array:
    """Return the order in which an epoch goes through the images: int64 (images,)."""
    return generator(seed, epoch, "order").permutation(images)
