"""Which pictures there are: files and folders become a list of names, in an order that depends on names only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cnnfast.errors import DataError
from cnnfast.images.pictures.kinds import PHOTOGRAPHS, VIDEO_SUFFIXES, looks_like_picture, picture_suffixes
from cnnfast.images.pictures.skipped import HIDDEN, NO_SUFFIX, Skipped
from cnnfast.runtime.arguments import many, path_of


class Found(NamedTuple):
    """A picture, and where it was found.

    Attributes
    ----------
    path : Path
    below : Path
        Its place below the folder that was searched; only its name if it was named itself.
    """

    path: Path
    below: Path


def find_pictures(paths: Iterable[str | os.PathLike[str]], skipped: Skipped | None = None) -> list[Path]:
    """List the pictures that files and folders stand for, in an order that depends on names only.

    A file named here is taken whatever it is called. Inside a folder, at any depth, files with a suffix of a picture
    format are taken, and files without a suffix that begin like one; hidden ones are not, and a folder reached twice
    through links is entered once.

    Parameters
    ----------
    paths : iterable of path
    skipped : Skipped, optional
        Counts the files that are not taken.

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
    return list(dict.fromkeys(found.path for found in iter_pictures(paths, skipped)))


def iter_pictures(
    paths: Iterable[str | os.PathLike[str]],
    skipped: Skipped | None = None,
    missing: bool = False,
    videos: bool = False,
    unread: bool = False,
) -> Iterator[Found]:
    """Yield what `find_pictures` lists, remembering nothing: a picture that two of the paths reach comes twice.

    With ``missing``, a path that does not exist comes too, and reading it says so; with ``videos``, they come too; with
    ``unread``, also what a package that is missing would read, and reading it says what to install.

    Raises
    ------
    DataError
        If a path does not exist.

    Examples
    --------
    >>> next(iter_pictures([]), None)
    """
    skipped = Skipped() if skipped is None else skipped
    suffixes = picture_suffixes().union(VIDEO_SUFFIXES if videos else (), PHOTOGRAPHS if unread else ())
    for path in (path_of("a picture or folder", path) for path in many("paths", paths)):
        if os.path.isdir(path):
            for file in _walk(path, suffixes, skipped):
                yield Found(file, file.relative_to(path) if file != path else Path(path.name))
        elif missing or os.path.lexists(path):
            yield Found(path, Path(path.name))
        else:
            raise DataError(f"{path}: no such file or folder; name pictures or folders that hold pictures")


def _walk(folder: Path, suffixes: frozenset[str], skipped: Skipped) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    waiting = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = os.stat(path)
            identity = status.st_dev, status.st_ino
            # some drives of Windows number no files
            if identity in entered and status.st_ino:
                continue
            entered.add(identity)
            waiting.extend(reversed(_entries(path, suffixes, skipped)))
        except OSError:
            # Yielded as if it were a picture, so that reading it reports the folder by name with the reason.
            yield path


def _entries(folder: Path, suffixes: frozenset[str], skipped: Skipped) -> list[tuple[Path, bool]]:
    """List what is worth entering or reading in a folder, sorted by name, with whether it is a folder."""
    taken = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                skipped.add(HIDDEN)
            elif _may_be_entered(entry):
                taken.append((path, True))
            elif path.suffix.lower() in suffixes or (not path.suffix and looks_like_picture(path)):
                taken.append((path, False))
            else:
                skipped.add(path.suffix.lower() or NO_SUFFIX)
    return sorted(taken, key=lambda one: one[0].name)


def _may_be_entered(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder; one that cannot be accessed counts as one: entering it reports why."""
    try:
        return entry.is_dir()
    except OSError:
        return True
