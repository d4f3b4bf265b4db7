"""Which files are pictures, by their suffixes, or by their first bytes where they have none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from cnnfast._frozen import frozen

UNDECODABLE = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow recognizes but decodes only with another program (Ghostscript for EPS) or not at all."""

HEAD = 32
"""Bytes that the formats are recognized by."""

STALE = 1.0
"""Seconds after which it is looked again whether a package is there that was missing."""

JPEG_BEGINS, PNG_BEGINS = b"\xff\xd8\xff", b"\x89PNG\r\n"


@frozen
class Extra:
    """Kinds of files that one more package reads.

    Attributes
    ----------
    name : str
        Of the extra, as in ``pip install 'cnnfast[name]'``.
    module : str
        What that installs.
    suffixes : tuple of str
    """

    name: str
    module: str
    suffixes: tuple[str, ...]

    def advice(self, suffixes: Iterable[str]) -> str:
        """Return what to do so that files with these suffixes are read; nothing if they are."""
        names = " ".join(suffixes)
        package = "" if self.is_installed else f"pip install 'cnnfast[{self.name}]'"
        if self.name != "video":
            return package and f"{package} reads {names}"
        return f"{package and f'{package}, and '}--every 1s of find and classify reads frames of {names}"

    @property
    def is_installed(self) -> bool:
        """Return whether the package is there; it is not imported for that."""
        return _is_there(self.module)


HEIF = Extra("heif", "pillow_heif", (".heic", ".heics", ".heif", ".hif", ".avif"))
RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".srw",
)  # fmt: skip
RAW = Extra("raw", "rawpy", RAW_SUFFIXES)
VIDEO_SUFFIXES = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv",
)  # fmt: skip
VIDEO = Extra("video", "av", VIDEO_SUFFIXES)
PHOTOGRAPHS = frozenset(HEIF.suffixes + RAW.suffixes)
EXTRAS = (HEIF, RAW, VIDEO)
"""All of them; frames of videos are read where they are asked for."""


def how_to_read(name: str) -> str:
    """Return what would read a file of this name, or nothing.

    Examples
    --------
    >>> how_to_read("notes.txt")
    ''
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix in picture_suffixes():
        return ""
    return "; ".join(advice for extra in EXTRAS if suffix in extra.suffixes if (advice := extra.advice([suffix])))


_looked: dict[str, tuple[bool, float]] = {}


def _is_there(module: str) -> bool:
    """Return whether a package is installed; what is missing may be installed while a notebook runs."""
    there, until = _looked.get(module, (False, 0.0))
    now = time.monotonic()
    if not there and now >= until:
        there = find_spec(module) is not None
        _looked[module] = there, now + STALE
    return there


def picture_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes, with the dot, of the formats that can be read here.

    Examples
    --------
    >>> {".jpg", ".png", ".webp"} <= picture_suffixes()
    True
    """
    from PIL import Image

    known = Image.registered_extensions()
    # MPO (several JPEGs in one file) has no separate opener; that of JPEG recognizes it.
    readable = {*Image.OPEN, "MPO"} - UNDECODABLE
    by_pillow = frozenset(suffix.lower() for suffix, format_ in known.items() if format_ in readable)
    return by_pillow.union(*(extra.suffixes for extra in (HEIF, RAW) if extra.is_installed))


def looks_like_picture(path: Path) -> bool:
    """Return whether the first bytes of a file are those of a format that can be read; for files without a suffix.

    A file that cannot be opened counts as one, so that reading it reports it by name with the reason.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "README"
    >>> _ = file.write_bytes(b"Python reads this.")
    >>> looks_like_picture(file)
    False
    """
    from PIL import Image

    if not path.is_file():  # opening a pipe would block
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return True
    Image.init()
    if head[4:8] == b"ftyp" and HEIF.is_installed and head[8:12] in HEIF_BRANDS:
        return True
    return any(_accepts(name, head) for name in Image.OPEN if name not in UNDECODABLE)


HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"})
"""What files of HEIF and AVIF name as their kind after ``ftyp``."""


def _accepts(name: str, head: bytes) -> bool:
    from PIL import Image

    accept = Image.OPEN[name][1]
    if accept is None or not head:
        return False
    if name == "PPM":  # recognized by two letters, with which a text may begin
        return head[2:3].isspace() and bool(accept(head))
    try:
        return bool(accept(head))
    except Exception:  # a few bytes are too few for some
        return False
