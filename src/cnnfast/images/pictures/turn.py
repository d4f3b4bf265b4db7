"""How a stored picture is turned upright, by what EXIF states."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION_TAG = 0x0112

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what turns a picture upright; None if it is, or if its metadata do not say.

    A TIFF is upright once it is loaded, because Pillow turns it then.
    """
    try:
        stated = image.getexif().get(ORIENTATION_TAG)
        return None if stated is None else _undo().get(stated)
    except Exception:  # Damaged metadata does not make a picture unreadable.
        return None


@cache
def _undo() -> dict[int, Image.Transpose]:
    from PIL import Image

    turn = Image.Transpose
    return {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }


def turns_sides(turn: Image.Transpose | None) -> bool:
    """Return whether width and height are swapped."""
    return turn is not None and turn.name in ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")


def upright(image: Image.Image, box: Box | None) -> tuple[Image.Image, Box | None]:
    """Return a loaded picture turned upright, and where a part of it is then."""
    turn = turn_of(image)
    if turn is None:
        return image, box
    return image.transpose(turn), None if box is None else turned_box(box, image.size, turn)


def turned_box(box: Box, size: tuple[int, int], turn: Image.Transpose) -> Box:
    """Return where a part of a picture is once the picture, of (width, height), is turned.

    Examples
    --------
    >>> from PIL import Image
    >>> turned_box((0, 0, 4, 2), (4, 3), Image.Transpose.ROTATE_180)
    (0, 1, 4, 3)
    """
    left, top, right, bottom = box
    x = {"same": (left, right), "back": (size[0] - right, size[0] - left)}
    y = {"same": (top, bottom), "back": (size[1] - bottom, size[1] - top)}
    across, down = {
        "FLIP_LEFT_RIGHT": (x["back"], y["same"]),
        "ROTATE_180": (x["back"], y["back"]),
        "FLIP_TOP_BOTTOM": (x["same"], y["back"]),
        "TRANSPOSE": (y["same"], x["same"]),
        "ROTATE_270": (y["back"], x["same"]),
        "TRANSVERSE": (y["back"], x["back"]),
        "ROTATE_90": (y["same"], x["back"]),
    }[turn.name]
    return across[0], down[0], across[1], down[1]
