"""Whether a TIFF holds more pages than the one that is read, from its directories alone."""

from __future__ import annotations

import struct
from typing import IO

from cnnfast._frozen import frozen
from cnnfast.images.pictures.tiff import KIND, SMALLER

ORDERS = {b"II": "<", b"MM": ">"}

MOST_ENTRIES = 4096
"""Of one directory; what states more is damaged."""

MOST_DIRECTORIES = 64
"""That are looked at: pyramids have a smaller copy in each."""


@frozen
class _Layout:
    """How a kind of TIFF writes numbers: where a directory is, how many entries it has, and one entry."""

    place: str
    count: str
    entry: str


LAYOUTS = {42: _Layout("I", "H", "HHI4s"), 43: _Layout("Q", "Q", "HHQ8s")}
"""By the number behind the order of bytes: TIFF and BigTIFF."""


def has_more_pages(file: IO[bytes]) -> bool:
    """Return whether pages follow the first one, smaller copies apart; the file is at its beginning afterwards.

    False of other files, and of one that is damaged: decoding says so.

    Examples
    --------
    >>> import io
    >>> has_more_pages(io.BytesIO(b"no TIFF"))
    False
    """
    file.seek(0)
    try:
        return _has_more_pages(file)
    except (struct.error, OverflowError, ValueError, OSError):
        return False
    finally:
        file.seek(0)


def _has_more_pages(file: IO[bytes]) -> bool:
    head = file.read(8)
    order = ORDERS.get(head[:2])
    if order is None:
        return False
    (magic,) = struct.unpack(f"{order}H", head[2:4])
    layout = LAYOUTS.get(magic)
    if layout is None:
        return False
    place = head[4:] if layout.place == "I" else file.read(8)
    (at,) = struct.unpack(f"{order}{layout.place}", place)
    _, at = _directory(file, order, layout, at)
    for _ in range(MOST_DIRECTORIES):
        if at == 0:
            return False
        kind, at = _directory(file, order, layout, at)
        if not kind & SMALLER:
            return True
    return False


def _directory(file: IO[bytes], order: str, layout: _Layout, at: int) -> tuple[int, int]:
    """Return what kind of picture a directory says that it is, and where the next one is, or 0."""
    file.seek(at)
    (count,) = _read(file, order, layout.count)
    if count > MOST_ENTRIES:
        raise ValueError("more entries than a directory has")
    entries = file.read(count * struct.calcsize(order + layout.entry))
    kind = 0
    for tag, _, _, value in struct.iter_unpack(order + layout.entry, entries):
        if tag == KIND:
            (kind,) = struct.unpack(f"{order}I", value[:4])
    (following,) = _read(file, order, layout.place)
    return kind, following


def _read(file: IO[bytes], order: str, form: str) -> tuple[int, ...]:
    return struct.unpack(order + form, file.read(struct.calcsize(order + form)))
