"""Raw files of cameras: the preview that the camera has put into them, which is a picture as any other."""

from __future__ import annotations

import io
import os
from typing import IO, TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.errors import PictureError
from cnnfast.images.pictures.heif import is_heif
from cnnfast.images.pictures.kinds import JPEG_BEGINS, PNG_BEGINS, RAW
from cnnfast.images.pictures.turn import ORIENTATION_TAG

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TIFF_BEGINS = (b"II*\0", b"MM\0*")

CR2 = b"CR"
"""Behind the eight bytes with which a TIFF begins."""

JPEG_ENDS = b"\xff\xd9"
PADDING = 1 << 12
"""Bytes that cameras may add behind the end of a preview."""
COMPARED = 64
"""Bytes at its end that must be in the file."""

ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's ways to turn a picture, as EXIF numbers them."""


def is_raw(name: str, head: bytes) -> bool:
    """Return whether a file is a raw file: by its name, because most begin as a TIFF does, unless it begins as another.

    What it is called does not matter for a CR2; for others see `tiff.begins_with_preview`.

    Examples
    --------
    >>> is_raw("photo.jpg", b"II*\\0"), is_raw("photo.nef", b"II*\\0"), is_raw("photo.nef", b"\\xff\\xd8\\xff")
    (False, True, False)
    """
    if head.startswith(TIFF_BEGINS) and head[8:10] == CR2:
        return True
    is_named_so = os.path.splitext(name)[1].lower() in RAW.suffixes
    return is_named_so and not head.startswith((JPEG_BEGINS, PNG_BEGINS)) and not is_heif(head)


def preview_of_raw(file: IO[bytes], name: str) -> IO[bytes]:
    """Return the largest preview of a raw file, as a file that states how to turn it upright.

    Raises
    ------
    PictureError
        If there is none, or the file is damaged.
    """
    with needs("reading raw files", "cnnfast[raw]"):
        import rawpy
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            preview = raw.extract_thumb()
            turn = ORIENTATION.get(raw.sizes.flip, 1)
    except rawpy.LibRawNoThumbnailError:
        raise PictureError(name, "is a raw file without a preview that is whole; develop it to JPEG") from None
    except rawpy.LibRawError as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        raise PictureError(name, f"cannot be read as a raw file: {reason}") from error
    if preview.format == rawpy.ThumbFormat.JPEG:
        if not _is_whole(preview.data, file):
            raise PictureError(name, "is a raw file whose preview is cut off")
        return io.BytesIO(preview.data)
    return _as_file(preview.data, turn)


def _is_whole(preview: bytes, file: IO[bytes]) -> bool:
    """Return whether a preview ends as a JPEG does, and with bytes of its file.

    Of a file that is cut off, LibRaw gives what happens to be in memory behind its end, such as the preview before.
    """
    end = preview.rfind(JPEG_ENDS, -PADDING) + len(JPEG_ENDS)
    file.seek(0)
    return end >= len(JPEG_ENDS) and preview[max(end - COMPARED, 0) : end] in file.read()


def _as_file(pixels: npt.NDArray[np.uint8], turn: int) -> IO[bytes]:
    from PIL import Image

    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION_TAG] = turn
    Image.fromarray(pixels).save(file, "PNG", compress_level=0, exif=exif)
    file.seek(0)
    return file
