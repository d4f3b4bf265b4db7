"""Until when callers wait: all equally long, so that one timer of a loop is enough for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from cnnfast.errors import LateError


class Deadlines:
    """Gives `LateError` to what has no result in time.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of all the callers.
    timeout : float
        Seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop, self._timeout = loop, timeout
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any]) -> float:
        """Watch over a future from now on, and return the time by which it must be done."""
        self._drop_done()
        deadline = time.monotonic() + self._timeout
        self._waiting.append((deadline, future))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._look)
        return deadline

    def _drop_done(self) -> None:
        # most are done in the order in which they came; what is done behind one that is not will go with it
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(LateError(f"there was no result within {self._timeout:g} seconds"))
        self._drop_done()
        if self._waiting:
            self._timer = self._loop.call_later(self._waiting[0][0] - now, self._look)

    def close(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()
