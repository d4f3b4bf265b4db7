"""Pictures that Pillow has opened already become the input of a network, by the same rule as files."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, TypeGuard

from cnnfast.errors import PictureError
from cnnfast.images.pictures.pillow import our_own_rules
from cnnfast.images.pictures.pixels import decoding, get_max_pixels
from cnnfast.images.pictures.rule import Bytes, fit, to_colors
from cnnfast.images.pictures.tiff import as_stored
from cnnfast.images.pictures.turn import upright
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.forks import open_in_forked_children

if TYPE_CHECKING:
    from PIL import Image

NAME = "<PIL.Image>"

_loading = threading.Lock()
"""Pillow reads the file of a picture when its pixels are first needed, and not from several threads at once."""

open_in_forked_children(_loading)


def is_pillow_image(value: object) -> TypeGuard[Image.Image]:
    """Return whether a value is a picture of Pillow, which is not imported for that.

    Examples
    --------
    >>> from PIL import Image
    >>> is_pillow_image(Image.new("RGB", (2, 2))), is_pillow_image("cat.jpg")
    (True, False)
    """
    # a module that another thread is importing is there already, but its classes are not
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return kind is not None and isinstance(value, kind)


def fit_pillow_image(image: Image.Image, preprocess: Preprocess) -> Bytes:
    """Turn a picture of Pillow upright, convert its colors and fit it to a network's input; it stays as it is.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode, loaded or not; of an animation the frame at which it is.
    preprocess : Preprocess

    Returns
    -------
    uint8 array of shape (H, W, C)

    Raises
    ------
    PictureError
        If its file is damaged, closed or too large, or its values have no known scale.

    Examples
    --------
    >>> from PIL import Image
    >>> fit_pillow_image(Image.new("RGBA", (40, 30), (255, 0, 0, 0)), Preprocess(size=(2, 2)))[0, 0]
    array([255, 255, 255], dtype=uint8)
    """
    name, most = getattr(image, "filename", "") or NAME, get_max_pixels()
    pixels = image.width * image.height
    if not pixels:
        raise PictureError(name, "has no pixels")
    if pixels > most:
        raise PictureError(
            name,
            f"has {image.width} x {image.height} pixels, more than {most}; cnnfast.set_max_pixels raises the limit",
        )
    try:
        with our_own_rules(most), decoding.taken(pixels):
            with _loading:
                as_stored(image)
                image.load()
            return fit(to_colors(upright(image, None)[0], preprocess), preprocess)
    except MemoryError:
        raise PictureError(name, "needs more memory than there is") from None
    # decoders raise nearly every class there is
    except Exception as error:
        raise PictureError(name, f"cannot be decoded: {error if error.args else type(error).__name__}") from error
