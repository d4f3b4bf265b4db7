"""A model file as others may read it again: what a pickled network says instead of its weights."""

from __future__ import annotations

import os
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats import native
from cnnfast.formats.blame import blame
from cnnfast.formats.model import Model


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
    """

    path: str
    sha256: str
    state: tuple[int, int, int, int]

    def is_current(self) -> bool:
        """Tell whether the file is still there and has not been touched."""
        try:
            return _state(self.path) == self.state
        except OSError:
            return False


def refer_to(path: str | os.PathLike[str]) -> FileReference | None:
    """Return a reference to a file, or None if it is of another format or cannot be read."""
    absolute = os.path.abspath(path)
    try:
        state = _state(absolute)
        with open(absolute, "rb") as file:
            head = file.read(native.DIGEST_END)
    except OSError:
        return None
    if head[8 : native.DIGEST_BEGIN] != native.PREFIX:
        return None
    return FileReference(absolute, head[native.DIGEST_BEGIN :].decode("ascii", "replace"), state)


def load_again(path: str, sha256: str) -> Model:
    """Read the file of a reference, mapped into memory: processes that do so share its pages.

    Raises
    ------
    ModelFileError
        If the file is gone, damaged, or another one.
    """
    with blame(path):
        found = refer_to(path) if Path(path).is_file() else None
        if found is None or found.sha256 != sha256:
            fault = "is not there any more" if found is None else f"now holds another one, of SHA-256 {found.sha256}"
            raise ModelFileError(
                f"a network was pickled as a reference to this file, of SHA-256 {sha256}, but the file {fault}; put it "
                "back, or send the network as a file made by Network.save"
            )
    return native.load(path, mapped=True)


def _state(path: str) -> tuple[int, int, int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
