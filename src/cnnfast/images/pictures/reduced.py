"""JPEGs decoded at a fraction of their size: what a small network would average away is not computed first.

A JPEG holds the frequencies of blocks of 8 by 8 pixels, and libjpeg makes 4, 2 or 1 pixels a side from the low ones of
each block. Other formats have nothing like it that Pillow gives access to; see ``docs/pictures.md``.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cnnfast.images.pictures.turn import Box, turn_of, turns_sides
from cnnfast.images.preprocess import Preprocess

if TYPE_CHECKING:
    from PIL import Image

MARGIN = 4
"""A reduced picture still has at least this many times the size that it is then fitted to."""

SCALES = (8, 4, 2)

JPEGS = ("JPEG", "MPO")

START_OF_SCAN = 0xDA

ONE_PASS = (0xC0, 0xC1, 0xC9)
PROGRESSIVE = (0xC2, 0xCA)
"""Markers of frames that hold frequencies; those of a lossless JPEG hold pixels, and are not reduced."""


def scale_of(size: tuple[int, int], preprocess: Preprocess) -> int:
    """Return by which factor, 1, 2, 4 or 8, both sides of a picture may be reduced while it is decoded.

    Parameters
    ----------
    size : (width, height)
        Of the picture, upright.
    preprocess : Preprocess

    Examples
    --------
    >>> small = Preprocess(size=(32, 32))
    >>> [scale_of(size, small) for size in ((4000, 3000), (640, 480), (255, 255), (4000, 200))]
    [8, 2, 1, 1]
    >>> scale_of((4000, 200), Preprocess(size=(32, 32), resize="pad"))
    8
    """
    # Of a picture that is fitted by its nearest pixels, each pixel counts.
    if preprocess.decode == "full" or preprocess.interpolation == "nearest":
        return 1
    room = times_as_large(size, preprocess)
    return next((scale for scale in SCALES if MARGIN * scale <= room), 1)


def times_as_large(size: tuple[int, int], preprocess: Preprocess) -> int:
    """Return how many times the size that it is fitted to a picture (width, height) has; 0 if it has less.

    Examples
    --------
    >>> times_as_large((160, 120), Preprocess(size=(32, 32)))
    3
    """
    height, width = preprocess.size
    times = int(size[0] * preprocess.crop_pct) // width, int(size[1] * preprocess.crop_pct) // height
    return max(times) if preprocess.resize == "pad" else min(times)


def reduce_jpeg(image: Image.Image, file: IO[bytes], preprocess: Preprocess) -> tuple[Box | None, int]:
    """Have a picture that is not yet loaded decoded as the preprocessing says.

    For a network that takes gray, only the luminance of a JPEG in color is decoded.

    Parameters
    ----------
    image : PIL.Image.Image
    file : binary file
        What the picture is read from; its position is changed.
    preprocess : Preprocess

    Returns
    -------
    box : Box or None
        Which part of the pixels is the picture: the last row and column may stand for fewer pixels than others. None
        for all of it.
    held : int
        How many pixels decoding holds in memory; all, if a JPEG comes in several scans, because libjpeg holds their
        frequencies.
    """
    width, height = image.size
    whole = None, width * height
    if image.format not in JPEGS or preprocess.decode == "full":
        return whole
    frame, components = _frame_of(file)
    if frame not in ONE_PASS + PROGRESSIVE:
        return whole
    size = (height, width) if turns_sides(turn_of(image)) else (width, height)
    scale = scale_of(size, preprocess)
    image.draft("L" if preprocess.channels == "gray" else None, (width // scale, height // scale))
    has_one_scan = frame in ONE_PASS and components == getattr(image, "layers", 0)
    return (0, 0, width / scale, height / scale), image.width * image.height if has_one_scan else width * height


def _frame_of(file: IO[bytes]) -> tuple[int, int]:
    """Return the marker of the frame of a JPEG, and how many components are in its first scan; zeros if unclear."""
    frame = 0
    file.seek(2)
    while len(segment := file.read(5)) == 5 and segment[0] == 0xFF:
        marker = segment[1]
        if marker == START_OF_SCAN:
            return frame, segment[4]
        if marker == 0xFF:  # a byte to fill up
            file.seek(-4, 1)
            continue
        if marker in ONE_PASS + PROGRESSIVE:
            frame = marker
        file.seek(int.from_bytes(segment[2:4], "big") - 3, 1)
    return 0, 0
