"""When a photograph was taken, as its EXIF data state."""

from __future__ import annotations

import re
from datetime import datetime
from typing import IO

EXIF_PART = 0x8769
TIMES = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))
"""Tags of a time and of its offset from UTC: when taken, when digitized, and when the file was last changed."""

OFFSET = re.compile(r"[+-]\d\d:\d\d")


def time_taken(file: IO[bytes]) -> str | None:
    """Return the time in ISO 8601, with an offset from UTC where one is stated, or None; the file is then at its start.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> exif, file = Image.Exif(), io.BytesIO()
    >>> exif[0x0132] = "2024:05:01 06:30:00"
    >>> Image.new("RGB", (2, 2)).save(file, "JPEG", exif=exif)
    >>> _ = file.seek(0)
    >>> time_taken(file)
    '2024-05-01T06:30:00'
    """
    from cnnfast.images.pictures.decode import opened

    try:
        with_header = opened(file)
        tags = with_header.getexif()
        taken = tags.get_ifd(EXIF_PART)
        for when, offset in TIMES:
            text = taken.get(when) or tags.get(when)
            time = None if text is None else _as_iso(str(text), str(taken.get(offset, "")))
            if time is not None:
                return time
    except Exception:  # Damaged metadata does not make a picture unreadable, and reading it says what else is wrong.
        return None
    finally:
        file.seek(0)
    return None


def _as_iso(text: str, offset: str) -> str | None:
    try:
        time = datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:  # cameras without a clock write zeros or blanks
        return None
    return time.isoformat() + (offset if OFFSET.fullmatch(offset) else "")
