"""Lays the words of integer layers out for matrix tiles: rows of output channels, chunks of the words of a sum."""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array, Conv2d
from cnnfast.plan.pack_words import WORD, as_words, block_count
from cnnfast.runtime.dispatch import kernels

MATRIX_ROWS = 16
"""Output channels, or words, of a matrix tile."""

MATRIX = "matrix"
"""The algorithm; named among those that may be used, it is used on every instruction set, for tests."""


def uses_matrix_tiles(algorithms: Container[str]) -> bool:
    """Return whether integer layers are planned for matrix tiles."""
    return kernels.has_matrix_tiles() or MATRIX in algorithms


@frozen
class Chunks:
    """The words of a sum, as many at a time as a matrix tile takes: ``depth`` of them from each of ``starts`` on.

    All chunks are equally deep. Where that is more than there are words, the last one begins earlier, and what it
    shares with the one before has weights of zero.
    """

    words: int
    depth: int
    starts: Array

    def geometry(self, outputs: int) -> dict[str, int]:
        """Return the geometry of a step with that many output channels."""
        return dict(K=self.words, chunks=len(self.starts), depth=self.depth, rows=tile_rows(outputs))


def chunks_of(words: int, rows: int = 1) -> Chunks:
    """Return the chunks of a sum: of each of ``rows`` rows of a window by itself.

    Examples
    --------
    >>> chunks_of(36)
    Chunks(words=36, depth=12, starts=array([ 0, 12, 24]))
    >>> chunks_of(17, rows=2)
    Chunks(words=34, depth=9, starts=array([ 0,  8, 17, 25]))
    """
    count = -(-words // MATRIX_ROWS)
    depth = -(-words // count)
    starts = np.minimum(np.arange(count) * depth, words - depth)
    return Chunks(words * rows, depth, np.add.outer(np.arange(rows) * words, starts).reshape(-1))


@frozen
class PixelRows:
    """The rows of an input, the words of each pixel side by side, that a convolution reads for a block of positions.

    Attributes
    ----------
    width, height : int
        What is read of the whole input, with its halo.
    block : int
        Positions of a block: whole rows of results.
    block_height, block_step : int
        Rows of the input that a block reads, and how far those of the next one are below.
    """

    width: int
    height: int
    block: int
    block_height: int
    block_step: int


def pixel_rows(op: Conv2d, kernel: tuple[int, int], size: tuple[int, int], pool: bool, most: int) -> PixelRows:
    """Return the blocks of a convolution that makes ``size`` pixels, if a block should read at most ``most`` pixels.

    Examples
    --------
    >>> pixel_rows(Conv2d(), (3, 3), (6, 6), pool=True, most=40)
    PixelRows(width=8, height=8, block=12, block_height=4, block_step=2)
    """
    (kh, kw), (oh, ow), (down, along) = kernel, (n // 2 * 2 if pool else n for n in size), op.stride
    width, height = (ow - 1) * along + kw, (oh - 1) * down + kh
    whole = 2 if pool else 4 // math.gcd(ow, 4)  # rows that hold whole tiles of positions
    fit = (most // width - kh) // down + 1
    rows = min(max(fit // whole, 1) * whole, -(-oh // whole) * whole)
    return PixelRows(width, height, rows * ow, (rows - 1) * down + kh, rows * down)


def tile_rows(outputs: int) -> int:
    """Return how many output channels a tile holds, such that all tiles hold as many.

    Examples
    --------
    >>> tile_rows(16), tile_rows(20), tile_rows(10)
    (16, 12, 12)
    """
    blocks = block_count(outputs)
    tiles = -(-blocks * WORD // MATRIX_ROWS)
    return -(-blocks // tiles) * WORD


def pixels_first(weight: Array) -> Array:
    """Return weights (OC, C, KH, KW) of a convolution as of one without a window: row, column, word, channel.

    Examples
    --------
    >>> pixels_first(np.arange(10).reshape(1, 5, 1, 2)).reshape(4, 4)
    array([[0, 2, 4, 6],
           [8, 0, 0, 0],
           [1, 3, 5, 7],
           [9, 0, 0, 0]])
    """
    oc, c, _, _ = weight.shape
    whole = np.pad(weight, ((0, 0), (0, -c % WORD), (0, 0), (0, 0)))
    return whole.transpose(0, 2, 3, 1).reshape(oc, -1, 1, 1)


def pack_matrix(words: Array, outputs: int, chunks: Chunks) -> Array:
    """Return words of weights (blocks, products, 4), as `pack_conv` makes them, as (tiles, chunks, rows, 16).

    Examples
    --------
    >>> words = np.arange(12, dtype=np.int32).view(np.float32)
    >>> pack_matrix(words, 4, chunks_of(3)).view(np.int32).reshape(4, 16)[:, :4]
    array([[ 0,  4,  8,  0],
           [ 1,  5,  9,  0],
           [ 2,  6, 10,  0],
           [ 3,  7, 11,  0]], dtype=int32)
    """
    rows = tile_rows(outputs)
    tiles = -(-block_count(outputs) * WORD // rows)
    by_channel = words.view(np.int32).reshape(-1, chunks.words, WORD).transpose(0, 2, 1).reshape(-1, chunks.words)
    result = np.zeros((tiles * rows, len(chunks.starts), MATRIX_ROWS), np.int32)
    done = 0
    for index, start in enumerate(chunks.starts):
        end = start + chunks.depth
        result[: len(by_channel), index, done - start : chunks.depth] = by_channel[:, done:end]
        done = end
    return as_words(result.reshape(tiles, rows, -1, MATRIX_ROWS).transpose(0, 2, 1, 3))
