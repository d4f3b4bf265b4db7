"""A model file as another process may read it again: what a pickled network says instead of its weights."""

from __future__ import annotations

import os
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats import digest, native
from cnnfast.formats.error_context import error_context
from cnnfast.formats.model import Model
from cnnfast.runtime import shipped


@frozen
class FileReference:
    """A file of cnnfast's own format and the state in which it was seen.

    Attributes
    ----------
    path : str
        Absolute.
    sha256 : str
        What the file states of itself, and every reading checks.
    state : tuple of int
        Device, inode, size and time of the last change.
    shipped : str, optional
        The name of a network that comes with cnnfast; other installations have it at another path.
    """

    path: str
    sha256: str
    state: tuple[int, int, int, int]
    shipped: str | None = None

    def is_current(self) -> bool:
        """Return whether the file is still there and has not been touched."""
        try:
            return _state(self.path) == self.state
        except OSError:
            return False


def refer_to(path: str | os.PathLike[str]) -> FileReference | None:
    """Return a reference to a file, or None if it is of another format or cannot be read."""
    absolute = os.path.abspath(path)
    try:
        state = _state(absolute)
        if not os.path.isfile(absolute):
            # opening a pipe or a device could block forever
            return None
        with open(absolute, "rb") as file:
            head = file.read(digest.END)
    except (OSError, ValueError):
        return None
    if head[8 : digest.BEGIN] != digest.PREFIX:
        return None
    stated = head[digest.BEGIN :].decode("ascii", "replace")
    return FileReference(absolute, stated, state, shipped.name_of(absolute))


def load_shipped_again(name: str, sha256: str, elsewhere: str = "") -> tuple[Model, FileReference | None]:
    """Read a network of this installation that another one has referred to by name.

    Parameters
    ----------
    name, sha256 : str
    elsewhere : str
        Where the other installation has it: on one machine it may be read there if this one lacks it.

    Raises
    ------
    ModelFileError
        If neither installation has one of that name and content.
    """
    path = shipped.file_of(name)
    found = refer_to(path)
    if found is None or found.sha256 != sha256:
        there = refer_to(elsewhere) if elsewhere else None
        if there is not None and there.sha256 == sha256:
            return load_again(there.path, sha256), there
        fault = "has none" if found is None else f"has another one, of SHA-256 {found.sha256}"
        raise ModelFileError(
            f"a network was pickled as a reference to the shipped network {name!r}, of SHA-256 {sha256}, but this "
            f"installation of cnnfast {fault}; install the same version on both sides, or pickle net.by_value()"
        )
    return load_again(str(path), sha256), found


def load_again(path: str, sha256: str) -> Model:
    """Read the file of a reference, mapped into memory: processes that do so share its pages.

    Raises
    ------
    ModelFileError
        If the file is gone, damaged, or another one.
    """
    with error_context(path):
        found = refer_to(path) if Path(path).is_file() else None
        if found is None or found.sha256 != sha256:
            fault = "is not there any more" if found is None else f"now holds another one, of SHA-256 {found.sha256}"
            raise ModelFileError(
                f"a network was pickled as a reference to this file, of SHA-256 {sha256}, but the file {fault}; put it "
                "back, or pickle net.by_value(), which needs no file"
            )
    return native.load(path, mapped=True)


def _state(path: str) -> tuple[int, int, int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
