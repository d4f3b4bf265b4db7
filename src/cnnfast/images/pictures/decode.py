"""Picture files become arrays: opened, decoded, converted by one documented rule, and fitted to a network.

The rule is in ``docs/pictures.md``. Whatever is wrong with a file, the answer is a `PictureError` that names it;
decoders meet hostile bytes here, so nothing else may escape.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

import numpy as np

from cnnfast.errors import InputError, PictureError
from cnnfast.images.pictures.heif import is_heif, open_heif
from cnnfast.images.pictures.kinds import HEAD, JPEG_BEGINS, PNG_BEGINS, UNDECODABLE, how_to_read
from cnnfast.images.pictures.opening import Picture, name_of, open_picture
from cnnfast.images.pictures.pillow import our_own_rules
from cnnfast.images.pictures.pixels import decoding, get_max_pixels
from cnnfast.images.pictures.raw import is_raw, preview_of_raw
from cnnfast.images.pictures.reduced import reduce_jpeg
from cnnfast.images.pictures.rule import Bytes, fit, to_colors
from cnnfast.images.pictures.tiff import as_stored, begins_with_preview
from cnnfast.images.pictures.turn import upright
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.arguments import instance, quoted

if TYPE_CHECKING:
    from PIL import Image


BLOCK = 1 << 18
"""Bytes of a JPEG that are read and decoded at a time: more would be new memory for each, 3 to 6 % of the time."""

BOMB = "and may be a decompression bomb; cnnfast.set_max_pixels or --max-pixels raises the limit"


def read_picture(picture: Picture, preprocess: Preprocess) -> Bytes:
    """Read one picture, convert its colors, turn it upright and fit it to a network's input.

    Parameters
    ----------
    picture : path, bytes or binary file
        Any format that Pillow decodes by itself; of an animation the first frame.
    preprocess : Preprocess
        Size, channels, resizing and background; its ``scale``, ``mean`` and ``std`` are not applied here.

    Returns
    -------
    uint8 array of shape (H, W, C)

    Raises
    ------
    PictureError
        If the file is missing, empty, damaged, not a picture, or too large.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "red").save(file, "PNG")
    >>> read_picture(file.getvalue(), Preprocess(size=(2, 2)))[0, 0]
    array([255,   0,   0], dtype=uint8)
    """
    a_rule(preprocess)
    with open_picture(picture) as file:
        return decode_file(file, name_of(picture), preprocess)


def fit_images(images: Bytes, preprocess: Preprocess) -> Bytes:
    """Fit images that are already in memory to a network's input, by the same rule as picture files.

    Parameters
    ----------
    images : uint8 array of shape (N, h, w, c)
        c is 1 (gray), 3 (red, green, blue) or 4 (with alpha).
    preprocess : Preprocess

    Returns
    -------
    uint8 array of shape (N, H, W, C)

    Raises
    ------
    InputError
        For another dtype, rank or number of channels, or an empty side.

    Examples
    --------
    >>> import numpy as np
    >>> fit_images(np.zeros((5, 28, 28, 1), np.uint8), Preprocess(size=(32, 32))).shape
    (5, 32, 32, 3)
    """
    a_rule(preprocess)
    if not isinstance(images, np.ndarray):
        raise InputError(f"images to fit must be an array of uint8, (N, H, W, C), but got {quoted(images)}")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape[1:]:
        raise InputError(
            f"images to fit must be uint8 of shape (N, H, W, C) with C of 1, 3 or 4, "
            f"but are {images.dtype} of shape {images.shape}"
        )
    if images.shape[1:] == (*preprocess.size, preprocess.channel_count):
        return images[..., ::-1] if preprocess.channels == "bgr" else images
    fitted = np.empty((len(images), *preprocess.size, preprocess.channel_count), np.uint8)
    for image, target in zip(images, fitted, strict=True):
        target[...] = fit(_from_array(image, preprocess), preprocess)
    return fitted


def a_rule(preprocess: object) -> None:
    """Raise `ConfigError` unless this is a rule by which pictures become input."""
    instance("preprocess", preprocess, Preprocess, "such as net.preprocess or Preprocess(size=(32, 32))")


def _from_array(image: Bytes, preprocess: Preprocess) -> Image.Image:
    from PIL import Image

    pixels = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))
    return to_colors(pixels, preprocess)


def decode_file(file: IO[bytes], name: str, preprocess: Preprocess) -> Bytes:
    """Decode and fit an open file as `read_picture` does; errors call it by a name."""
    from PIL import Image, UnidentifiedImageError

    most = get_max_pixels()
    try:
        with our_own_rules(most):
            image = opened(file := _what_is_read(file, name))
            if begins_with_preview(image):
                image = opened(file := preview_of_raw(file, name))
            width, height = image.size
            box, held = reduce_jpeg(image, file, preprocess)
            _check_header(image, name, (width, height), held, most)
            with decoding.taken(held):
                try:
                    as_stored(image)
                    image.load()
                    image, box = upright(image, box)
                    return fit(to_colors(image, preprocess), preprocess, box)
                finally:
                    # the last reference, so that its memory is free before other threads take theirs
                    del image
    except PictureError:
        raise
    except UnidentifiedImageError:
        how = how_to_read(name)
        raise PictureError(name, f"not a picture in a format that Pillow can read{how and f'; {how}'}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(name, f"has more than {most} pixels, {BOMB}") from None
    except MemoryError:
        raise PictureError(name, "needs more memory than there is") from None
    except Exception as error:  # Decoders raise nearly every class there is for bad bytes, SyntaxError among them.
        raise PictureError(name, f"cannot be decoded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return what a decoder says, on one line."""
    if isinstance(error, SyntaxError) and isinstance(error.__cause__, struct.error):
        return "its header is cut off"
    return " ".join(str(error).split()) if error.args else type(error).__name__


def _what_is_read(file: IO[bytes], name: str) -> IO[bytes]:
    """Return the preview of a raw file, and any other file as it is."""
    head = file.read(HEAD)
    file.seek(0)
    return preview_of_raw(file, name) if is_raw(name, head) else file


def opened(file: IO[bytes]) -> Image.Image:
    """Read the header of a picture."""
    from PIL import Image

    head = file.read(HEAD)
    file.seek(0)
    if is_heif(head):
        return open_heif(file)
    # Not by Image.open, which imports five formats before it looks at one, and counts pixels that are never decoded.
    if head.startswith(PNG_BEGINS):
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(file)
    if not head.startswith(JPEG_BEGINS):
        return Image.open(file)
    from PIL.JpegImagePlugin import jpeg_factory

    image = jpeg_factory(file)
    # libjpeg is slower at the end of each block that it is given; Pillow's have 64 KB.
    image.decodermaxblock = BLOCK
    return image


def _check_header(image: Image.Image, name: str, size: tuple[int, int], held: int, most: int) -> None:
    if image.format in UNDECODABLE:
        raise PictureError(name, f"is a {image.format} file, which needs another program to decode; convert it to PNG")
    # Not left to Pillow: its limit is a global that any library may lift, and its warning is shown only once.
    if held > most:
        raise PictureError(name, f"has {size[0]} x {size[1]} pixels, more than {most}, {BOMB}")
