"""Lays weights out in the order in which the register tiles read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnfast.ops import Array
from cnnfast.plan.lowering import packed
from cnnfast.plan.winograd import OUTPUTS, transformed_blocks, write_transformed

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def blocks(channels: int, most: int) -> list[slice]:
    """Divide channels into as few blocks as possible of at most ``most``, of sizes that differ by at most one.

    Examples
    --------
    >>> [b.stop - b.start for b in blocks(10, most=4)]
    [3, 3, 4]
    """
    count = -(-channels // most)
    return [slice(b * channels // count, (b + 1) * channels // count) for b in range(count)]


def pack_blocks(weight: Array, groups: int, most: int) -> Array:
    """Return weights (OC, K) as blocks of output channels of one group, each (K, channels).

    Elements only move, so the numbers of the elements, packed, are an index: which element goes where.

    Examples
    --------
    >>> pack_blocks(np.array([[1, 2], [3, 4], [5, 6]]), groups=1, most=2)
    array([1, 2, 3, 5, 4, 6])
    """
    per_group = len(weight) // groups
    pieces = []
    for group in range(groups):
        rows = weight[group * per_group : (group + 1) * per_group]
        pieces += [rows[block].T.reshape(-1) for block in blocks(per_group, most)]
    result = np.concatenate(pieces)
    result.flags.writeable = False
    return result


def aligned(values: Array, boundary: int = 64) -> Array:
    """Return values (K,) in memory that starts at a multiple of ``boundary`` bytes, as vectors are read from.

    Examples
    --------
    >>> aligned(np.zeros(3, np.float32)).ctypes.data % 64
    0
    """
    result = aligned_zeros(len(values), boundary, values.dtype)
    result[:] = values
    result.flags.writeable = False
    return result


def aligned_zeros(count: int, boundary: int = 64, dtype: DTypeLike = np.float32) -> Array:
    """Return zeros (count,) in memory that starts at a multiple of ``boundary`` bytes.

    Examples
    --------
    >>> aligned_zeros(3).ctypes.data % 64
    0
    """
    size = count * np.dtype(dtype).itemsize
    memory = np.zeros(size + boundary, np.uint8)
    start = -memory.ctypes.data % boundary
    return memory[start : start + size].view(dtype)


def in_vectors(values: Array, lanes: int) -> Array:
    """Return values (C, ...) as (vectors, lanes, ...), with zeros where channels end within a vector.

    Examples
    --------
    >>> in_vectors(np.array([1, 2, 3]), lanes=2)
    array([[1., 2.],
           [3., 0.]], dtype=float32)
    """
    vectors = -(-len(values) // lanes)
    result = np.zeros((vectors * lanes, *values.shape[1:]), np.float32)
    result[: len(values)] = packed(values)
    return result.reshape(vectors, lanes, *values.shape[1:])


def pack_vectors(weight: Array, most: int, lanes: int) -> Array:
    """Return weights (OC, K) for channels in the lanes: blocks of at most ``most`` vectors, each (K, vectors, lanes).

    Examples
    --------
    >>> pack_vectors(np.array([[1, 2], [3, 4], [5, 6]]), most=1, lanes=2)
    array([1., 3., 2., 4., 5., 0., 6., 0.], dtype=float32)
    """
    rows = in_vectors(weight, lanes)
    pieces = [rows[block].transpose(2, 0, 1).reshape(-1) for block in blocks(len(rows), most)]
    return aligned(np.concatenate(pieces))


def pack_winograd_vectors(weight: Array, most: int, lanes: int) -> Array:
    """Return weights (OC, C, K, K), transformed, for channels in the lanes.

    For each element of the transform, by columns, there are blocks of ``most`` vectors or fewer, each (C, vectors, L).
    """
    oc, c, kernel, _ = weight.shape
    vectors = -(-oc // lanes)
    result = aligned_zeros(vectors * lanes * c * (kernel + OUTPUTS - 1) ** 2)
    starts = [0, *(block.stop * lanes for block in blocks(vectors, most))]
    write_transformed(weight, starts, result, elements_first=True)
    result.flags.writeable = False
    return result


def pack_winograd(weight: Array, most: int) -> Array:
    """Return weights (OC, C, K, K), transformed, as blocks of output channels, each (E, C, channels), E by columns."""
    return packed(transformed_blocks(weight, [0, *(block.stop for block in blocks(len(weight), most))]))
