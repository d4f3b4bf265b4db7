"""Which elements dropout drops: a function of seed, step, layer, image and element only.

A hash of counters instead of a generator with a state, so the mask does not depend on the order of work or on threads.
The hash is ``lowbias32`` (Wellons, 2018: https://nullprogram.com/blog/2018/07/31/).
"""

from __future__ import annotations

import numpy as np

from cnnfast.ops.base import Array, Shape

GOLDEN = 0x9E3779B9
"""2**32 divided by the golden ratio, made odd: it spreads consecutive counters."""


def _mixed(x: Array) -> Array:
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    result: Array = x ^ (x >> np.uint32(16))
    return result


def dropout_keys(seed: int, step: int, layer: int, images: int, first: int = 0) -> Array:
    """Return one number for each image, uint32 (N,), beginning with image ``first`` of the batch.

    Examples
    --------
    >>> len(set(dropout_keys(seed=0, step=1, layer=0, images=100).tolist()))
    100
    """
    key = np.zeros(1, np.uint32)
    for part in (seed, step, layer):
        key = _mixed(key ^ _mixed(np.array([part & 0xFFFFFFFF], np.uint32) + np.uint32(GOLDEN)))
    return _mixed(key + np.arange(first, first + images, dtype=np.uint32) * np.uint32(GOLDEN))


def dropout_mask(keys: Array, shape: Shape, rate: float) -> Array:
    """Return what dropout multiplies by, float32 (N, ...): 0 with probability ``rate``, else ``1 / (1 - rate)``.

    Examples
    --------
    >>> mask = dropout_mask(dropout_keys(0, 0, 0, 50), (4, 5, 5), rate=0.5)
    >>> mask.shape, sorted(set(mask.ravel().tolist())), bool(0.9 < mask.mean() < 1.1)
    ((50, 4, 5, 5), [0.0, 2.0], True)
    """
    elements = np.arange(int(np.prod(shape)), dtype=np.uint32) * np.uint32(GOLDEN)
    values = _mixed(keys[:, None] ^ elements[None]) >> np.uint32(8)
    kept = values >= np.uint32(threshold(rate))
    return np.where(kept, np.float32(1 / (1 - rate)), np.float32(0)).reshape(len(keys), *shape)


def threshold(rate: float) -> int:
    """Return the least 24-bit number that is kept."""
    return round(rate * (1 << 24))
