"""Images that a file holds as one array, read a piece at a time."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.data.base import Array, Piece, Positions
from cnnfast.errors import DataError, InputError
from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.preprocess import Preprocess

MAX_IMAGES = 1 << 26
"""No compressed file may promise more: its labels alone would take half a gigabyte."""

MAX_DEFLATE_RATIO = 1032
"""Deflate cannot shrink by more than this: a header that promises more is wrong."""


@frozen(eq=False)
class ArraySource:
    """A source whose images all have one shape.

    Attributes
    ----------
    count : int
        Number of images.
    name_of : callable
        The name of the image at a position.
    chunks : callable
        Given a size, yield all images in order as arrays of shape (n, H, W, C), n being the size but for the last.
    """

    count: int
    name_of: Callable[[int], str]
    chunks: Callable[[int], Iterator[Array]]

    def __len__(self) -> int:
        return self.count

    def read(self, size: int, preprocess: Preprocess | None) -> Iterator[Piece]:
        """Yield all images in order, ``size`` at a time."""
        start = 0
        for images in self.chunks(size):
            positions = np.arange(start, start + len(images))
            names = [self.name_of(i) for i in positions.tolist()]
            yield Piece(_fit(images, preprocess), positions, names, [])
            start += len(images)

    def part(self, positions: Positions) -> ArraySource:
        """Return a source of some of the images; the file is read up to the last of them."""
        names = positions.tolist()
        return ArraySource(len(names), lambda i: self.name_of(names[i]), partial(_chosen, self.chunks, positions))


def _chosen(chunks: Callable[[int], Iterator[Array]], positions: Positions, size: int) -> Iterator[Array]:
    """Yield the images at some positions, ``size`` at a time."""
    waiting: list[Array] = []
    start = 0
    for images in chunks(size):
        first, last = np.searchsorted(positions, (start, start + len(images)))
        start += len(images)
        waiting += list(images[positions[first:last] - (start - len(images))])
        while len(waiting) >= size or (waiting and last == len(positions)):
            yield np.stack(waiting[:size])
            waiting = waiting[size:]
        if last == len(positions):
            return


def _fit(images: Array, preprocess: Preprocess | None) -> Array:
    if preprocess is None:
        return images
    if images.dtype == np.uint8:
        return fit_images(images, preprocess)
    wanted = (*preprocess.size, preprocess.channel_count)
    if images.shape[1:] != wanted:
        raise InputError(
            f"float32 images are taken as they are and cannot be fitted: they are {images.shape[1:]}, but the "
            f"preprocessing wants {wanted}; store them as uint8, or in that size"
        )
    return images


def read_exactly(stream: IO[bytes], count: int) -> bytes:
    """Read ``count`` bytes from a stream that may give fewer at a time; fewer only at its end."""
    pieces = []
    while count > 0 and (piece := stream.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Turn what reading a damaged file raises into a `DataError` that names it."""
    try:
        yield
    except DataError:
        raise
    except (OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: cannot be read: {error if error.args else 'it ends early'}") from error
