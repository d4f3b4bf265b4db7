"""TIFFs that Pillow takes for others: it is told what their pixels are before it decodes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

BITS, PHOTOMETRIC, PLANES = 258, 262, 284
"""Tags: bits of each sample, what zero means, and whether the channels are one after the other."""

KIND, PARTS, DNG = 254, 330, 50706
"""Tags: whether it is a smaller copy, directories below this one, and the version that every DNG states."""

SEPARATE, WHITE_IS_ZERO, SMALLER = 2, 0, 1

NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}
"""What libtiff makes of numbers in the other order of bytes, as Pillow calls it."""


def tags_of(image: Image.Image) -> Mapping[int, Any]:
    """Return the tags of a TIFF; none of another picture.

    Examples
    --------
    >>> from PIL import Image
    >>> tags_of(Image.new("L", (2, 2)))
    {}
    """
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def white_is_zero(image: Image.Image) -> bool:
    """Return whether the values of a gray picture of more than 8 bits have to be turned around."""
    return tags_of(image).get(PHOTOMETRIC) == WHITE_IS_ZERO


def bits_of(image: Image.Image) -> int | None:
    """Return how many bits a sample of a TIFF has."""
    bits = tags_of(image).get(BITS)
    return bits[0] if isinstance(bits, tuple) and bits else None


def begins_with_preview(image: Image.Image) -> bool:
    """Return whether a TIFF is a raw file of a camera: a DNG, or one that begins with a smaller copy of what is below.

    Examples
    --------
    >>> from PIL import Image
    >>> begins_with_preview(Image.new("L", (2, 2)))
    False
    """
    tags = tags_of(image)
    return DNG in tags or (PARTS in tags and bool(tags.get(KIND, 0) & SMALLER))


def as_stored(image: Image.Image) -> None:
    """Have a picture that is not yet loaded decoded by what its file holds, if it is a TIFF.

    Pillow takes bytes of 16-bit planes for 8-bit ones, and takes numbers that libtiff has brought into the order of
    this machine for those of the file.

    Raises
    ------
    ValueError
        If Pillow cannot decode it.
    """
    if image.format != "TIFF" or not getattr(image, "tile", None):
        return
    image.tile = [  # type: ignore[attr-defined]
        _as_stored(image, *tile)
        for tile in image.tile  # type: ignore[attr-defined]
    ]


def _as_stored(image: Image.Image, codec: str, box: Any, offset: int, args: Any) -> Any:
    kind, *others = args
    if codec == "libtiff":
        kind = NATIVE.get(kind, kind)
    elif tags_of(image).get(PLANES) == SEPARATE and (bits_of(image) or 8) > 8:
        if bits_of(image) != 16 or image.mode not in ("RGB", "RGBA"):
            raise ValueError(
                f"Pillow cannot read planes of {bits_of(image)} bits in mode {image.mode}; compress the file"
            )
        kind = f"{kind};16{'B' if image.tag_v2.prefix == b'MM' else 'L'}"  # type: ignore[attr-defined]
    from PIL import ImageFile

    make = getattr(ImageFile, "_Tile", lambda *parts: parts)
    return make(codec, box, offset, (kind, *others))
