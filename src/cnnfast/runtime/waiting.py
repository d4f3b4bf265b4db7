"""Waiting for what other threads do, so that Ctrl-C is heard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

LOOK_SECONDS = 0.1


def result_of(future: Future[Result]) -> Result:
    """Return the result of a future once there is one; Windows hears Ctrl-C only between waits.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool:
    ...     result_of(pool.submit(sum, [1, 2]))
    3
    """
    while os.name == "nt" and not future.done():
        from concurrent.futures import wait

        wait([future], LOOK_SECONDS)
    return future.result()
