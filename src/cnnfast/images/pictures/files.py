"""Which pictures there are: files and folders become a list of names, in an order that depends on names only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cnnfast.errors import DataError
from cnnfast.runtime.arguments import many, path_of

UNDECODABLE = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow recognizes but decodes only with another program (Ghostscript for EPS) or not at all."""


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the pictures that files and folders stand for, in an order that depends on names only.

    A file named here is taken whatever it is called. Inside a folder, at any depth, files with a suffix of a picture
    format are taken, hidden ones are not, and a folder reached twice through links is entered once.

    Parameters
    ----------
    paths : iterable of path

    Returns
    -------
    list of Path
        Each picture once; sorted within each folder.

    Raises
    ------
    DataError
        If a path does not exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.JPG", "a.png", "notes.txt"):
    ...     (folder / name).touch()
    >>> [path.name for path in find_pictures([folder])]
    ['a.png', 'b.JPG']
    """
    return list(dict.fromkeys(iter_pictures(paths)))


def iter_pictures(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yield what `find_pictures` lists, remembering nothing: a picture that two of the paths reach comes twice.

    Raises
    ------
    DataError
        If a path does not exist.

    Examples
    --------
    >>> next(iter_pictures([]), None)
    """
    suffixes = picture_suffixes()
    for path in (path_of("a picture or folder", path) for path in many("paths", paths)):
        if os.path.isdir(path):
            yield from _walk(path, suffixes)
        elif os.path.lexists(path):
            yield path
        else:
            raise DataError(f"{path}: no such file or folder; name pictures or folders that hold pictures")


def picture_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes, with the dot, of the formats that can be read.

    Examples
    --------
    >>> {".jpg", ".png", ".webp"} <= picture_suffixes()
    True
    """
    from PIL import Image

    known = Image.registered_extensions()
    # MPO (several JPEGs in one file) has no separate opener; that of JPEG recognizes it.
    readable = {*Image.OPEN, "MPO"} - UNDECODABLE
    return frozenset(suffix.lower() for suffix, format_ in known.items() if format_ in readable)


def _walk(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    waiting = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            waiting.extend(reversed(_entries(path, suffixes)))
        except OSError:
            # Yielded as if it were a picture, so that reading it reports the folder by name with the reason.
            yield path


def _entries(folder: Path, suffixes: frozenset[str]) -> list[tuple[Path, bool]]:
    """List what is worth entering or reading in a folder, sorted by name, with whether it is a folder."""
    with os.scandir(folder) as entries:
        visible = [(folder / e.name, _may_be_entered(e)) for e in entries if not e.name.startswith(".")]
    return sorted((p, is_folder) for p, is_folder in visible if is_folder or p.suffix.lower() in suffixes)


def _may_be_entered(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder; one that cannot be accessed counts as one: entering it reports why."""
    try:
        return entry.is_dir()
    except OSError:
        return True
