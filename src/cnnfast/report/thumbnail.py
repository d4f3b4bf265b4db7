"""A picture in the size of a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnfast.errors import PictureError
from cnnfast.images.pictures.decode import fit_images, read_picture
from cnnfast.images.preprocess import Preprocess
from cnnfast.report.tile import Tile

if TYPE_CHECKING:
    from PIL import Image

BACKDROP = (236, 239, 243)


def thumbnail(tile: Tile, side: int) -> Image.Image:
    """Return the picture of a tile as an RGB image of ``side`` by ``side`` pixels, whole, on a plain backdrop.

    Small pictures are enlarged without smoothing, so that one sees exactly the pixels that the network saw.
    """
    from PIL import Image

    rule = Preprocess(
        size=(side, side),
        resize="pad",
        interpolation="nearest" if _longest_side(tile) <= side // 2 else "lanczos",
        background=BACKDROP,
    )
    try:
        if isinstance(tile.picture, np.ndarray):
            pixels = fit_images(tile.picture[None], rule)[0]
        else:
            pixels = read_picture(tile.picture, rule)
    except PictureError:
        return Image.new("RGB", (side, side), BACKDROP)
    return Image.fromarray(pixels)


def _longest_side(tile: Tile) -> int:
    from PIL import Image

    if isinstance(tile.picture, np.ndarray):
        return max(int(side) for side in tile.picture.shape[:2])
    try:
        with Image.open(tile.picture) as image:
            return max(image.size)
    except Exception:  # `read_picture` gives the reason.
        return 0
