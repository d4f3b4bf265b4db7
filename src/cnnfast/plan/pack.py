"""Lays weights out in the order in which the register tiles read them."""

from __future__ import annotations

import numpy as np

from cnnfast.ops import Array
from cnnfast.plan.lowering import packed
from cnnfast.plan.winograd import transformed


def pack_blocks(weight: Array, groups: int, block: int) -> Array:
    """Return weights (OC, K) as blocks of output channels, each (K, channels): the last of a group may be smaller.

    Examples
    --------
    >>> pack_blocks(np.array([[1, 2], [3, 4], [5, 6]]), groups=1, block=2)
    array([1., 3., 2., 4., 5., 6.], dtype=float32)
    """
    per_group = len(weight) // groups
    pieces = []
    for group in range(groups):
        rows = weight[group * per_group : (group + 1) * per_group]
        pieces += [rows[first : first + block].T.reshape(-1) for first in range(0, per_group, block)]
    return packed(np.concatenate(pieces))


def aligned(values: Array, boundary: int = 64) -> Array:
    """Return values (K,) in memory that starts at a multiple of ``boundary`` bytes, as vectors are read from.

    Examples
    --------
    >>> aligned(np.zeros(3, np.float32)).ctypes.data % 64
    0
    """
    memory = np.empty(values.nbytes + boundary, np.uint8)
    start = -memory.ctypes.data % boundary
    result = memory[start : start + values.nbytes].view(values.dtype)
    result[:] = values
    result.flags.writeable = False
    return result


def pack_winograd(weight: Array, block: int) -> Array:
    """Return weights (OC, C, K, K), transformed, as blocks of output channels, each (E, C, channels), E by columns."""
    u = transformed(weight).swapaxes(2, 3).reshape(*weight.shape[:2], -1)
    blocks = [u[first : first + block].transpose(2, 1, 0).reshape(-1) for first in range(0, len(u), block)]
    return packed(np.concatenate(blocks))
