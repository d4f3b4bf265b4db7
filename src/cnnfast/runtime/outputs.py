"""Files that are written: checked before the work for them begins, and written as a whole or not at all."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cnnfast.errors import OutputError


def file_behind(path: Path) -> Path:
    """Return the file that a name stands for, links followed, if a file can be written there or replaced.

    Raises
    ------
    OutputError
        If it is a folder, a device, a pipe or a loop of links; or there is no folder to write it into.

    Examples
    --------
    >>> file_behind(Path("missing/rows.csv"))
    Traceback (most recent call last):
    cnnfast.errors.OutputError: missing/rows.csv: there is no folder missing; make it first, or write elsewhere
    """
    try:
        target = Path(os.path.realpath(path))
        mode = os.lstat(target).st_mode if os.path.lexists(target) else None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path!s:.1000}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
    if mode is not None and stat.S_ISDIR(mode):
        raise OutputError(f"{path}: is a folder; name a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a loop of links" if stat.S_ISLNK(mode) else "a device or a pipe"
        raise OutputError(f"{path}: is {kind}, which is not replaced; name a file")
    # os.path, because a Path raises where a name is too long
    if not os.path.isdir(target.parent):
        folder = path.parent if target.name == path.name else target.parent
        raise OutputError(f"{path}: there is no folder {folder}; make it first, or write elsewhere")
    return target


UNFINISHED = ".cnnfast-"
"""The prefix of the names of files that `replacing` has not finished."""


def remove_unfinished(folder: Path, seconds: float = 0) -> None:
    """Remove what writers that were killed have left in a folder, if nothing has been written to it for some time.

    Parameters
    ----------
    folder : Path
        May be missing.
    seconds : float
        Since the last change; more than 0 where others may be writing.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(UNFINISHED) and entry.name.endswith(".tmp"):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime >= seconds:
                        os.unlink(entry.path)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file that replaces another one, or is created, once all of it is written.

    Whatever happens before that, the old content stays as it is. A link stays a link, to the new content.

    Parameters
    ----------
    path : Path
    durable : bool
        Whether the content must have reached the disk before it takes the place, so that not even a loss of power
        leaves half of it.

    Raises
    ------
    OutputError
        If it cannot be written; the message names ``path``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(path) as file:
    ...     _ = file.write(b"done")
    >>> path.read_bytes(), len(list(path.parent.iterdir()))
    (b'done', 1)
    """
    with _written(path, file_behind(path), durable, _replace) as file:
        yield file


@contextmanager
def creating(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name once all of it is written, if no other file has got that name until then.

    Raises
    ------
    FileExistsError
        If another file has the name.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with creating(path) as file:
    ...     _ = file.write(b"done")
    >>> path.read_bytes(), len(list(path.parent.iterdir()))
    (b'done', 1)
    """
    with _written(path, path, False, _name) as file:
        yield file


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a name with an empty file, which is to be replaced in the ``with`` block; if that fails, it goes again.

    Raises
    ------
    FileExistsError
        If another file has the name.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


@contextmanager
def _written(path: Path, target: Path, durable: bool, finish: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
    """Open a file next to the target, which ``finish`` makes of it; what is left of it is removed."""
    # not made of the target's name, which may be as long as a name can be
    temporary = target.with_name(f"{UNFINISHED}{os.urandom(6).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        finish(temporary, target)
    except (OutputError, FileExistsError):
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _name(temporary: Path, target: Path) -> None:
    """Give a file a name that no other one has."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as of memory cards
        with holding(target):
            os.replace(temporary, target)


PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds to wait before each further try."""


def _replace(temporary: Path, target: Path) -> None:
    """Give a file the name and the mode of another, once that is closed: Windows replaces no open file."""
    with suppress(FileNotFoundError):
        os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
    for pause in PAUSES if os.name == "nt" else ():
        try:
            return os.replace(temporary, target)
        except PermissionError:
            time.sleep(pause)
    return os.replace(temporary, target)
