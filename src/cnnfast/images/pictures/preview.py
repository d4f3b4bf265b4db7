"""The small picture that cameras put into the EXIF data of a photograph, usually of 160 by 120 pixels."""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING

from cnnfast.images.pictures.decode import opened
from cnnfast.images.pictures.pillow import our_own_rules
from cnnfast.images.pictures.pixels import get_max_pixels
from cnnfast.images.pictures.reduced import JPEGS, times_as_large
from cnnfast.images.pictures.rule import Bytes, fit, to_colors
from cnnfast.images.pictures.turn import turn_of
from cnnfast.images.preprocess import Preprocess

if TYPE_CHECKING:
    from PIL import Image

OFFSET_TAG, LENGTH_TAG = 0x0201, 0x0202
"""Where the preview is in the EXIF data, and how many bytes it has."""

EXIF_BEGINS = b"Exif\0\0"

MOST_PIXELS = 1 << 22
"""A preview that claims more is not one."""


def preview_of(file: IO[bytes], preprocess: Preprocess) -> Bytes | None:
    """Return the preview in a photograph, upright and fitted to a network's input; None where the photograph is needed.

    It is needed if there is no preview; if the preview would be enlarged; if it has other proportions, as with black
    bars, or one of before the photograph was cut or turned; or if anything is wrong with it.

    Parameters
    ----------
    file : binary file
        At its beginning.
    preprocess : Preprocess

    Returns
    -------
    uint8 array of shape (H, W, C), or None

    Examples
    --------
    >>> preview_of(BytesIO(b"not a photograph"), Preprocess(size=(32, 32))) is None
    True
    """
    try:
        with our_own_rules(get_max_pixels()):
            photograph = opened(file)
            preview = _embedded(photograph)
            if preview is None or not _has_proportions_of(photograph.size, preview.size):
                return None
            # what EXIF says of the photograph holds for the preview
            turn = turn_of(photograph)
            preview.load()
            turned = preview if turn is None else preview.transpose(turn)
            if times_as_large(turned.size, preprocess) < 1:
                return None
            return fit(to_colors(turned, preprocess), preprocess)
    except Exception:  # `read_picture` gives the reason, if the photograph cannot be read either.
        return None


def _embedded(photograph: Image.Image) -> Image.Image | None:
    from PIL import ExifTags

    exif = photograph.info.get("exif", b"")
    if photograph.format not in JPEGS or not exif.startswith(EXIF_BEGINS):
        return None
    entries = photograph.getexif().get_ifd(ExifTags.IFD.IFD1)
    if OFFSET_TAG not in entries or LENGTH_TAG not in entries:
        return None
    start = len(EXIF_BEGINS) + int(entries[OFFSET_TAG])
    preview = opened(BytesIO(exif[start : start + int(entries[LENGTH_TAG])]))
    is_small = preview.width * preview.height <= MOST_PIXELS
    return preview if is_small and preview.format in JPEGS else None


def _has_proportions_of(whole: tuple[int, int], part: tuple[int, int]) -> bool:
    """Return whether a preview is the whole photograph made smaller, within the pixel by which its sides are rounded.

    Examples
    --------
    >>> [_has_proportions_of((4000, 3000), size) for size in ((160, 120), (160, 107), (120, 160))]
    [True, False, False]
    >>> _has_proportions_of((6000, 4000), (160, 107))
    True
    """
    return abs(whole[0] * part[1] - whole[1] * part[0]) < max(whole)
