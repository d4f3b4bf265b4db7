"""Thumbnails of picture files, as a page holds them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cnnfast._bar import open_bar
from cnnfast._frozen import frozen
from cnnfast.errors import PictureError
from cnnfast.images.looks import looks_of
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.preprocess import Array, Preprocess

SIDE, QUALITY = 160, 78

BACKDROP = (236, 239, 243)
"""Around a picture that is not square; taken off again."""

EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
"""What stands for a picture that cannot be read: one transparent pixel."""

RULE = Preprocess(size=(SIDE, SIDE), resize="pad", interpolation="lanczos", background=BACKDROP)


@frozen(eq=False)
class Thumbnail:
    """A picture in the size of a tile.

    Attributes
    ----------
    address : str
        A ``data:`` address with the pixels as JPEG.
    look : array (256,)
        The picture as 16 by 16 gray pixels; all zero if it cannot be read.
    error : PictureError or None
    """

    address: str
    look: Array
    error: PictureError | None


def thumbnails(paths: Sequence[Path], shown: bool | None = None) -> Iterator[Thumbnail]:
    """Yield the thumbnail of each picture; of one that cannot be read, an empty one."""
    bar = open_bar(len(paths), 0, " thumbnails", shown)
    try:
        with closing(read_pictures(paths, RULE)) as pictures:
            for _, picture in pictures:
                if isinstance(picture, PictureError):
                    yield Thumbnail(EMPTY, np.zeros(looks_of(np.zeros((1, 1, 1, 1))).shape[1]), picture)
                else:
                    yield _thumbnail(picture)
                if bar is not None:
                    bar.update(1)
    finally:
        if bar is not None:
            bar.close()


def _thumbnail(pixels: Array) -> Thumbnail:
    from PIL import Image

    inside = np.nonzero((pixels != np.array(BACKDROP, np.uint8)).any(axis=2))
    if inside[0].size:
        pixels = pixels[inside[0].min() : inside[0].max() + 1, inside[1].min() : inside[1].max() + 1]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=QUALITY)
    encoded = base64.b64encode(file.getvalue()).decode()
    return Thumbnail(f"data:image/jpeg;base64,{encoded}", looks_of(pixels[None])[0], None)
