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
from cnnfast.runtime.mapped import State, state_of


@frozen
class FileReference:
    """A file of cnnfast's own format and the state in which it was seen.

    Attributes
    ----------
    path : str
        Absolute.
    sha256 : str
        What the file states of itself, and every reading checks.
    states : tuple of State
        Of this file and of the one that it borrows from.
    lender : str, optional
        The file that it borrows from: it is of no use alone.
    shipped : str, optional
        The name of a network that comes with cnnfast; other installations have it at another path.
    """

    path: str
    sha256: str
    states: tuple[State | None, ...]
    lender: str | None = None
    shipped: str | None = None

    def is_current(self) -> bool:
        """Return whether the file is still there and has not been touched."""
        states = _states(self.path, self.lender)
        return states == self.states and None not in states


def refer_to(path: str | os.PathLike[str]) -> FileReference | None:
    """Return a reference to a file, or None if it is of another format or cannot be read."""
    absolute = os.path.abspath(path)
    states = _states(absolute)
    try:
        if not os.path.isfile(absolute):
            # opening a pipe or a device could block forever
            return None
        with open(absolute, "rb") as file:
            head = file.read(digest.END)
        if head[8 : digest.BEGIN] != digest.PREFIX:
            return None
        found = native.lender_of(absolute)
        lender = None if found is None else str(found)
        states += _states(lender)
    except (OSError, ValueError):
        return None
    stated = head[digest.BEGIN :].decode("ascii", "replace")
    return FileReference(absolute, stated, states, lender, shipped.name_of(absolute))


def load_shipped_again(name: str, sha256: str, elsewhere: str = "") -> tuple[Model, FileReference]:
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
            return load_again(there.path, sha256)
        fault = "has none" if found is None else f"has another one, of SHA-256 {found.sha256}"
        raise ModelFileError(
            f"a network was pickled as a reference to the shipped network {name!r}, of SHA-256 {sha256}, but this "
            f"installation of cnnfast {fault}; install the same version on both sides, or pickle net.by_value()"
        )
    return load_again(str(path), sha256)


def load_again(path: str, sha256: str) -> tuple[Model, FileReference]:
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
    return native.load(path, mapped=True), found


def _states(*paths: str | None) -> tuple[State | None, ...]:
    return tuple(_state(path) for path in paths if path is not None)


def _state(path: str) -> State | None:
    try:
        return state_of(os.stat(path))
    except (OSError, ValueError):
        return None
