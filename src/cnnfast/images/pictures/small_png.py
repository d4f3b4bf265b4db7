"""PNG files that are what a network takes already: small ones, read without the time that Pillow takes to begin.

Of a picture of 32 by 32 pixels Pillow takes twice as long as its bytes do. This reads the plainest files only, whose
pixels need no rule: gray or RGB, eight bits, of the network's size, without anything in them that could mean more than
that. Whatever is odd, or wrong, is left to Pillow, and so is what to say of it.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO

import numpy as np
import numpy.typing as npt

from cnnfast.images.pictures.pixels import get_max_pixels
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.dispatch import kernels

BEGINNING = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
HEADER = 33
"""Bytes of the signature and of the first chunk."""

KINDS = {"gray": 0, "rgb": 2, "bgr": 2}
"""Color types of PNG that hold what a network takes."""

UNRELATED = {b"gAMA": 4, b"sRGB": 1, b"pHYs": 9, b"cHRM": 32}
"""Chunks that do not change the pixels, with their lengths. Others may turn the picture, or make parts transparent."""

SLACK = 4096
"""Bytes that a file may have besides its pixels."""


def read_small_png(file: IO[bytes], preprocess: Preprocess) -> npt.NDArray[np.uint8] | None:
    """Return the pixels of a plain PNG of a network's size; of any other file None, and it is at its beginning again.

    Parameters
    ----------
    file : binary file
        At its beginning.
    preprocess : Preprocess

    Returns
    -------
    uint8 array of shape (H, W, C) or None

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (3, 2), "red").save(file, "PNG")
    >>> at = file.seek(0)
    >>> read_small_png(file, Preprocess(size=(2, 3))).shape, read_small_png(file, Preprocess(size=(9, 9)))
    ((2, 3, 3), None)
    """
    height, width = preprocess.size
    channels = preprocess.channel_count
    head = file.read(HEADER)
    expected = BEGINNING + struct.pack(">IIBBBBB", width, height, 8, KINDS[preprocess.channels], 0, 0, 0)
    if head[:-4] == expected and _is_whole(head, 12, HEADER) and height * width <= get_max_pixels():
        size = height * (1 + width * channels)
        filtered = _inflated(_pixel_data(file.read(size + SLACK)), size)
        if filtered is not None:
            pixels = np.empty((height, width * channels), np.uint8)
            if kernels.undo_png_filters(filtered, pixels, channels):
                image = pixels.reshape(height, width, channels)
                return np.ascontiguousarray(image[..., ::-1]) if preprocess.channels == "bgr" else image
    file.seek(0)
    return None


def _is_whole(data: bytes, start: int, end: int) -> bool:
    """Return whether a chunk, from its kind to its checksum, is as it was written."""
    return zlib.crc32(data[start : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _pixel_data(chunks: bytes) -> bytes | None:
    """Return the compressed pixels, or None where there is something else in the chunks, or not all of it."""
    found: list[bytes] = []
    at, has_ended = 0, False
    while at + 12 <= len(chunks):
        length, kind = struct.unpack_from(">I4s", chunks, at)
        end = at + 12 + length
        if end > len(chunks) or not _is_whole(chunks, at + 4, end):
            return None
        if kind == b"IEND":
            return b"".join(found) if length == 0 else None
        if kind == b"IDAT" and length and not has_ended:
            found.append(chunks[at + 8 : end - 4])
        elif UNRELATED.get(kind) == length:
            has_ended = bool(found)
        else:
            return None
        at = end
    return None


def _inflated(data: bytes | None, size: int) -> bytes | None:
    """Return what compressed data hold if that is exactly ``size`` bytes and their checksum is right."""
    if not data:
        return None
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, size + 1)
    except zlib.error:
        return None
    return found if len(found) == size and stream.eof and not stream.unused_data else None
