"""Random numbers that depend on nothing but the seed, the epoch, and what they are for.

Philox is a function of a key and a counter (Salmon, Moraes, Dror and Shaw 2011), and every use in every epoch has its
own key.
"""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, epoch: int, use: str) -> np.random.Generator:
    """Return the generator of one use in one epoch.

    Examples
    --------
    >>> float(generator(0, 3, "order").random()) == float(generator(0, 3, "order").random())
    True
    """
    key = np.array([seed, epoch << 32 | zlib.crc32(use.encode())], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
