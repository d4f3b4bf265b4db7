"""Offset tables: where the register tiles find what they read and put what they write, in vectors."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array, Conv2d, Shape
from cnnfast.plan.lowering import Triple
from cnnfast.plan.winograd import OUTPUTS

Halo = tuple[int, int, int, int]
TILE = 4
"""Positions of a register tile; tables are filled up to whole tiles by repeating their last place. An image that is a
single Winograd tile is the exception: then channels fill the registers."""


BLOCK_BYTES = 3 << 17
"""What a block of positions may read: it stays in the second-level cache, together with weights and results."""


def conv_halo(op: Conv2d, source: Shape, weight: Shape, output: Shape, algorithm: str) -> Halo:
    """Return how far a convolution reads beyond the top, left, bottom and right edge of its input."""
    (_, h, w), (_, oh, ow), (kh, kw) = source, output, weight[2:]
    if algorithm.startswith("winograd"):
        oh, ow = -(-oh // OUTPUTS) * OUTPUTS, -(-ow // OUTPUTS) * OUTPUTS
    top, left = op.padding[:2]
    below = (oh - 1) * op.stride[0] + (kh - 1) * op.dilation[0] - top - (h - 1)
    beyond = (ow - 1) * op.stride[1] + (kw - 1) * op.dilation[1] - left - (w - 1)
    return top, left, max(below, 0), max(beyond, 0)


def channel_offsets(channels: int, x_channel: int, lanes: int) -> Array:
    """Return the offsets of channels in the lanes, in floats: ``lanes`` of them are adjacent.

    Examples
    --------
    >>> channel_offsets(6, x_channel=100, lanes=4)
    array([  0,   1,   2,   3, 400, 401], dtype=int32)
    """
    c = np.arange(channels, dtype=np.int32)
    return c // lanes * x_channel * lanes + c % lanes


def tap_offsets_nchwc(op: Conv2d, channels: int, kh: int, kw: int, x: Triple, lanes: int) -> Array:
    """Return what `tap_offsets` does for channels in the lanes, in floats."""
    window = tap_offsets(op, 1, kh, kw, x) * lanes
    return table(np.add.outer(channel_offsets(channels, x[0], lanes), window))


def tap_offsets(op: Conv2d, channels: int, kh: int, kw: int, x: Triple) -> Array:
    """Return the place of each product's input, relative to a position: in the order channel, row, column."""
    c, p, q = np.ogrid[:channels, :kh, :kw]
    return table(c * x[0] + p * op.dilation[0] * x[1] + q * op.dilation[1] * x[2])


def pixel_offsets(
    op: Conv2d, oh: int, ow: int, x: Triple, order: tuple[Array, Array] | None, whole_tiles: bool = True
) -> Array:
    """Return the place of each output pixel's first input, row by row or in a given order of pixels."""
    i, j = order if order is not None else tuple(a.reshape(-1) for a in np.mgrid[:oh, :ow])
    offsets = (i * op.stride[0] - op.padding[0]) * x[1] + (j * op.stride[1] - op.padding[1]) * x[2]
    return table(filled(offsets) if whole_tiles else offsets)


def position_block(vectors: int, lanes: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Return how many positions go through all output channels together, if each reads that many vectors.

    Examples
    --------
    >>> position_block(vectors=64, lanes=16)
    96
    """
    return max(TILE, block_bytes // (vectors * lanes * 4) // TILE * TILE)


def quads(oh: int, ow: int) -> tuple[Array, Array]:
    """Return the rows and columns of pixels in the order of 2x2 windows: four pixels after each other make a window."""
    i, j, p, q = (a.reshape(-1) for a in np.mgrid[: oh // 2, : ow // 2, :2, :2])
    return 2 * i + p, 2 * j + q


def two_rows(oh: int, ow: int) -> tuple[Array, Array]:
    """Return the rows and columns of pixels in blocks of two rows by four columns, then those that fill no block.

    Examples
    --------
    >>> rows, columns = two_rows(2, 5)
    >>> rows.tolist(), columns.tolist()
    ([0, 0, 0, 0, 1, 1, 1, 1, 0, 1], [0, 1, 2, 3, 0, 1, 2, 3, 4, 4])
    """
    h, w = oh // 2 * 2, ow // 4 * 4
    i, j, p, q = (a.reshape(-1) for a in np.mgrid[: h // 2, : w // 4, :2, :4])
    right, below = (np.mgrid[part].reshape(2, -1) for part in (np.s_[:h, w:ow], np.s_[h:oh, :ow]))
    rows = np.concatenate([2 * i + p, right[0], below[0]])
    return rows, np.concatenate([4 * j + q, right[1], below[1]])


@frozen
class Tiles:
    """Where the tiles of a Winograd convolution read and write, and how much of each exists."""

    x_offsets: Array
    y_offsets: Array
    rows: Array
    cols: Array
    r_offsets: Array


def winograd_tiles(
    op: Conv2d, oh: int, ow: int, x: Triple, y: Triple, r: Triple, pool: bool, whole_tiles: bool = True
) -> Tiles:
    """Return the tables of a Winograd convolution; with ``pool`` what is written are 2x2 pooled pixels."""
    i, j = (OUTPUTS * a.reshape(-1) for a in np.mgrid[: -(-oh // OUTPUTS), : -(-ow // OUTPUTS)])
    rows, cols = np.minimum(OUTPUTS, oh - i), np.minimum(OUTPUTS, ow - j)
    shrink = 2 if pool else 1
    whole = filled if whole_tiles and len(i) > 1 else np.asarray
    return Tiles(
        x_offsets=table(whole((i - op.padding[0]) * x[1] + (j - op.padding[1]) * x[2])),
        y_offsets=table(whole(i // shrink * y[1] + j // shrink * y[2])),
        rows=table(whole(rows // shrink)),
        cols=table(whole(cols // shrink)),
        r_offsets=table(whole(i * r[1] + j * r[2])),
    )


def filled(offsets: Array) -> Array:
    """Return offsets filled up to whole tiles by repeating the last."""
    missing = -len(offsets) % TILE
    return np.concatenate([offsets, np.repeat(offsets[-1:], missing)])


def table(offsets: Array) -> Array:
    """Return offsets as the kernels read them."""
    return np.ascontiguousarray(offsets.reshape(-1), dtype=np.int32)
