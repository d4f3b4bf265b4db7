"""Many picture files, one after the other: opened ahead, decoded by several threads, in constant memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.errors import PictureError
from cnnfast.images.pictures.ahead import OpenedAhead, ReadAhead
from cnnfast.images.pictures.decode import a_rule, decode_file
from cnnfast.images.pictures.rule import Bytes
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.arguments import many, path_of
from cnnfast.runtime.threads import decide
from cnnfast.runtime.waiting import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

READ_AHEAD = 4
"""Pictures a worker may be ahead of the consumer: enough to hide one slow picture, few enough to stay small."""


def read_pictures(
    paths: Iterable[str | os.PathLike[str]], preprocess: Preprocess, workers: int | None = None
) -> Generator[tuple[Path, Bytes | PictureError], None, None]:
    """Read pictures with several threads and yield them in the order of ``paths``.

    Memory stays constant: the paths are taken one by one, and at most a few pictures per worker wait to be consumed.
    Closing the iterator cancels what has not started.

    Parameters
    ----------
    paths : iterable of path
    preprocess : Preprocess
    workers : int, optional
        Number of threads; by default `cnnfast.get_num_threads`.

    Yields
    ------
    (path, picture)
        The picture is a uint8 array of shape (H, W, C), or the `PictureError` that explains why there is none.

    Raises
    ------
    ConfigError
        If ``workers`` is not an integer from 1 to 4096.

    Examples
    --------
    >>> for path, picture in read_pictures(["missing.png"], Preprocess(size=(8, 8))):
    ...     print(path, "->", picture)
    missing.png -> missing.png: no such file
    """
    a_rule(preprocess)
    return _read_ahead(iter(many("paths", paths)), preprocess, decide(workers)[0])


def _read_ahead(
    paths: Iterator[str | os.PathLike[str]], preprocess: Preprocess, workers: int
) -> Generator[tuple[Path, Bytes | PictureError], None, None]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="cnnfast-picture")
    waiting: deque[tuple[Path, Future[Bytes | PictureError]]] = deque()
    ahead = ReadAhead()
    try:
        for path in (path_of("a picture", path) for path in paths):
            waiting.append((path, pool.submit(_outcome, ahead, ahead.add(path), preprocess)))
            if len(waiting) > workers * READ_AHEAD:
                path, future = waiting.popleft()
                yield path, result_of(future)
        while waiting:
            path, future = waiting.popleft()
            yield path, result_of(future)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        ahead.close()


def _outcome(ahead: ReadAhead, one: OpenedAhead, preprocess: Preprocess) -> Bytes | PictureError:
    try:
        with ahead.taken(one) as file:
            return decode_file(file, one.path, preprocess)
    except PictureError as error:
        # A new one, because the traceback of this one holds the decoded picture for as long as the error is kept.
        return PictureError(error.path, error.reason)
