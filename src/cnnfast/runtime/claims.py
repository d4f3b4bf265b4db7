"""A folder in which one run works at a time, whatever processes, and on systems with file locks machines, there are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cnnfast.errors import OutputError

LOCK = "lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder if there is none, and have it alone in a ``with`` block; an empty one is removed at the end.

    The claim of a process ends with it, even if it is killed. Where a system has no locks, all get what they claim.

    Raises
    ------
    OutputError
        If another run has it, or it cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "parts"
    >>> with claimed(folder), claimed(folder):
    ...     pass
    Traceback (most recent call last):
    cnnfast.errors.OutputError: ...: another run is at work here; wait until it has ended, or end it
    """
    path = folder / LOCK
    file = _locked(path)
    try:
        yield
    finally:
        if os.name == "nt":
            # an open file cannot be removed there, and so neither can the lock of the next run
            file.close()
        # elsewhere while it is locked: another run may make and lock a new one at once
        with suppress(OSError):
            path.unlink()
        file.close()
        with suppress(OSError):
            folder.rmdir()


def _locked(path: Path) -> IO[bytes]:
    while True:
        try:
            path.parent.mkdir(exist_ok=True)
            file = path.open("ab")
        except FileNotFoundError:
            if path.parent.parent.is_dir():
                # the run before has removed the folder just now
                continue
            raise OutputError(f"{path.parent}: there is no folder {path.parent.parent}; make it first") from None
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot be made or written: {error.strerror}") from error
        if not _lock(file):
            file.close()
            raise OutputError(f"{path.parent}: another run is at work here; wait until it has ended, or end it")
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        # it was the lock of a run that has just ended
        file.close()


def _lock(file: IO[bytes]) -> bool:
    if os.name == "nt":
        return _lock_on_windows(file)
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # some file systems of networks have no locks
        return True
    return True


def _lock_on_windows(file: IO[bytes]) -> bool:
    import msvcrt

    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        # some drives of networks have no locks
        return error.errno == errno.EINVAL
    return True
