"""Files that are mapped into memory, and a check that none of them was rewritten since.

A file that is replaced, by a rename, or deleted stays as it was in the processes that have mapped it. One that another
program opens and writes over, as ``cp`` does, changes under their arrays.

Windows lets no one replace, delete or write to a file that is mapped, so there it is read instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError

State = tuple[int, int, int, int]
"""Device, inode, size and time of the last change of a file."""


class MappedFile(np.memmap[Any, np.dtype[np.uint8]]):
    """The bytes of a file, read-only; views of it lead back to it by ``base``."""

    state: State | None = None
    """When it was mapped; None for views."""

    path: str = ""


def mapped_file(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the content of a file, mapped into memory where that takes nothing from others."""
    if os.name == "nt":
        return np.fromfile(path, np.uint8)
    with path.open("rb") as file:
        state = state_of(os.fstat(file.fileno()))
        data = MappedFile(file, np.uint8, "r")
    data.path, data.state = os.path.abspath(path), state
    return data


def check_not_rewritten(arrays: Iterable[Any]) -> None:
    """Check that the files that arrays are views of still have the content that was mapped.

    Raises
    ------
    ModelFileError
        If one of them was written over where it is.

    Examples
    --------
    >>> check_not_rewritten([np.zeros(3)])
    """
    for data in {id(data): data for array in arrays if (data := _origin(array)) is not None}.values():
        try:
            now = state_of(os.stat(data.path))
        except OSError:
            # deleted: what is mapped lives on
            continue
        # another inode is another file, which has replaced the one that is mapped
        if now[:2] == data.state[:2] and now != data.state:
            raise ModelFileError(
                f"{data.path}: was written over, or touched, after a network had mapped it into memory, so its "
                "weights may no longer be those that were loaded; load the network again, and replace such files by a "
                "rename, as Network.save does"
            )


def in_memory(array: Any) -> Any:
    """Return an array, copied if it is a view of a mapped file: it then stays as it is whatever becomes of that.

    Examples
    --------
    >>> array = np.zeros(3)
    >>> in_memory(array) is array
    True
    """
    return array if _origin(array) is None else np.array(array)


def _origin(array: Any) -> Any:
    while array is not None and getattr(array, "state", None) is None:
        array = getattr(array, "base", None)
    return array if isinstance(array, MappedFile) else None


def state_of(status: os.stat_result) -> State:
    """Return what is different once a file is another one, or was written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
