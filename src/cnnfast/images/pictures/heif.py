"""HEIC, HEIF and AVIF, which telephones write."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.images.pictures.kinds import HEIF_BRANDS

if TYPE_CHECKING:
    from PIL import Image

AVIF = (b"avif", b"avis")


def is_heif(head: bytes) -> bool:
    """Return whether a file begins like one that Pillow does not read by itself.

    Examples
    --------
    >>> is_heif(b"\\0\\0\\0\\x1cftypheic"), is_heif(b"\\xff\\xd8\\xff\\xe0")
    (True, False)
    """
    if head[4:8] != b"ftyp" or head[8:12] not in HEIF_BRANDS:
        return False
    return head[8:12] not in AVIF or not _pillow_reads_avif()


def open_heif(file: IO[bytes]) -> Image.Image:
    """Read the header of a picture, which is upright then."""
    with needs("reading HEIC", "cnnfast[heif]"):
        from pillow_heif.as_plugin import HeifImageFile
    image: Image.Image = HeifImageFile(file)
    return image


def _pillow_reads_avif() -> bool:
    from PIL import Image

    Image.init()
    return "AVIF" in Image.OPEN
