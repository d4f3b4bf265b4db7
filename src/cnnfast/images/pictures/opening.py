"""Paths, bytes and files become an open file, or an error that names them."""

from __future__ import annotations

import os
import stat
from io import BytesIO
from typing import IO

from cnnfast.errors import InputError, PictureError
from cnnfast.runtime.arguments import quoted

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


def name_of(picture: Picture) -> str:
    """Return what errors call a picture."""
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    return str(getattr(picture, "name", "<bytes>"))


def open_picture(picture: Picture) -> IO[bytes]:
    """Return a picture as a file at its beginning; `PictureError` if there is none, `InputError` for other things."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return _in_memory(bytes(picture), "<bytes>")
    if isinstance(picture, str | os.PathLike):
        return open_path(os.fspath(picture))
    # what is neither a path nor bytes may run any code
    try:
        read = getattr(picture, "read", None)
        name = name_of(picture)
    except Exception as error:
        raise InputError(f"a picture must be a path, bytes or a binary file, but is {quoted(picture)}") from error
    if not callable(read):
        raise InputError(f"a picture must be a path, bytes or a binary file, but is {quoted(picture)}")
    try:
        content = read()
    except Exception as error:
        raise PictureError(name, f"cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(content, bytes | bytearray | memoryview):
        raise PictureError(name, f"cannot be read: it gives {type(content).__name__}, no bytes; open it in mode 'rb'")
    return _in_memory(bytes(content), name)


def _in_memory(content: bytes, name: str) -> IO[bytes]:
    if not content:
        raise PictureError(name, "is empty")
    return BytesIO(content)


def open_path(path: str) -> IO[bytes]:
    """Return the open file of a path, or raise `PictureError`."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            raise PictureError(path, "is a folder, not a picture")
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would block, and a device may never end.
            raise PictureError(path, "is neither a file nor a folder")
        if status.st_size == 0:
            raise PictureError(path, "is empty")
        return open(path, "rb")
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise PictureError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
