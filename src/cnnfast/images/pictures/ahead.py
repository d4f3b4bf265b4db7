"""Picture files are opened before a thread has time to decode them, and the system is asked to read them meanwhile.

On a network drive, opening a file takes as long as a message there and back, and a thread that decodes would do nothing
else in that time. What is read ahead is in the cache of the operating system, so the memory of the process stays flat.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Self

from cnnfast.images.pictures.opening import open_path

if TYPE_CHECKING:
    from concurrent.futures import Future

WINDOW = 32
"""Files that are open ahead; what they hold has to stay in the cache of the system until it is decoded."""

THREADS = 8
"""Files that are opened at the same time."""

STEP = 1 << 17
"""Bytes that are asked for at a time: Linux reads no more than this ahead for one request on some disks."""


class OpenedAhead:
    """One file: not begun, being opened, or open."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.coming: Future[IO[bytes]] | None = None


class ReadAhead:
    """Opens files in the order in which they are added, a bounded number ahead of those that are taken.

    Parameters
    ----------
    most : int, optional
        Bytes of each file that are read ahead; all by default.

    Examples
    --------
    >>> with ReadAhead() as ahead, ahead.taken(ahead.add(__file__)) as file:
    ...     file.read(3)
    b'\"\"\"'
    """

    def __init__(self, most: int | None = None) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._most = most
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cnnfast-open")
        self._lock = threading.Lock()
        self._waiting: deque[OpenedAhead] = deque()
        self._begun: set[OpenedAhead] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, and close what no one has taken."""
        with self._lock:
            self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for one in self._begun:
            if one.coming is not None and not one.coming.cancelled() and one.coming.exception() is None:
                one.coming.result().close()
        self._begun.clear()

    def add(self, path: str | os.PathLike[str]) -> OpenedAhead:
        """Have a file opened once its turn comes."""
        one = OpenedAhead(os.fspath(path))
        with self._lock:
            self._waiting.append(one)
            self._begin()
        return one

    @contextmanager
    def taken(self, one: OpenedAhead) -> Iterator[IO[bytes]]:
        """Return a file open in a ``with`` block; where its turn has not come, it is opened now.

        Raises
        ------
        PictureError
            If it cannot be opened.
        """
        with self._lock:
            if one.coming is None and one in self._waiting:
                self._waiting.remove(one)
        try:
            with open_path(one.path) if one.coming is None else one.coming.result() as file:
                yield file
        finally:
            with self._lock:
                self._begun.discard(one)
                self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._begun) < WINDOW:
            one = self._waiting.popleft()
            self._begun.add(one)
            one.coming = self._pool.submit(self._open, one.path)

    def _open(self, path: str) -> IO[bytes]:
        file = open_path(path)
        advise = getattr(os, "posix_fadvise", None)
        if advise is not None:
            size = os.fstat(file.fileno()).st_size
            for start in range(0, size if self._most is None else min(size, self._most), STEP):
                try:
                    advise(file.fileno(), start, STEP, os.POSIX_FADV_WILLNEED)
                except OSError:  # It is only advice.
                    break
        return file
