"""How many pixels are decoded: a limit for one picture, and one for all that are decoded at once.

A picture of a few bytes may have millions of pixels, and each takes several bytes while it is decoded. Threads share
one budget, so that memory depends neither on what the files say nor on how many threads there are. A picture larger
than the budget is decoded while nothing else is.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from cnnfast.errors import ConfigError
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.forks import in_forked_children

DEFAULT = 89_478_485
"""The level at which Pillow starts to warn of decompression bombs."""

AT_ONCE = 50_000_000
"""Pixels that all threads decode at once; with transparency that is about a gigabyte."""

LARGE = 5_000_000
"""Pixels from which on it pays to return their memory at once."""

LARGEST = 1 << 40

_limit = DEFAULT


def set_max_pixels(n: int | None) -> None:
    """Read pictures of up to ``n`` pixels from now on in this process; None returns to the default, 89,478,485.

    Larger pictures are refused before they are decoded. Microscopes and medium-format cameras make some; decoding takes
    up to 20 bytes per pixel, and pictures of more than 50 million pixels are decoded one at a time.

    Raises
    ------
    ConfigError
        If ``n`` is not an integer from 1 to 2**40.

    Examples
    --------
    >>> set_max_pixels(400_000_000)
    >>> get_max_pixels()
    400000000
    >>> set_max_pixels(None)
    """
    global _limit
    _limit = DEFAULT if n is None else _checked(n)


def get_max_pixels() -> int:
    """Return how many pixels a picture may have.

    Examples
    --------
    >>> get_max_pixels()
    89478485
    """
    return _limit


def _checked(n: object) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= LARGEST:
        raise ConfigError(f"max_pixels must be an integer from 1 to {LARGEST}, but is {quoted(n)}")
    return n


class PixelBudget:
    """Pixels that may be decoded at once; first come, first served.

    Parameters
    ----------
    total : int

    Examples
    --------
    >>> budget = PixelBudget(10)
    >>> with budget.taken(4), budget.taken(6):
    ...     pass
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait until that many pixels are free, or all of them, and hold them in a ``with`` block.

        The block frees what it has decoded before it ends; where that was large, the system gets it back first.
        """
        with self._changed:
            if self._waiting or not self._has(pixels):
                self._wait(pixels)
            self._used += pixels
        try:
            yield
        finally:
            if pixels >= LARGE:
                _return_memory()
            with self._changed:
                self._used -= pixels
                if self._waiting:
                    self._changed.notify_all()

    def _wait(self, pixels: int) -> None:
        ticket = object()
        self._waiting.append(ticket)
        try:
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._has(pixels))
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()

    def _has(self, pixels: int) -> bool:
        return self._used == 0 or self._used + pixels <= self._total


def _return_memory() -> None:
    """Return what is free to the system: glibc keeps some for each thread that has decoded, a gigabyte for four."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


decoding = PixelBudget(AT_ONCE)
"""What all threads of the process share."""


def _after_fork_in_child() -> None:
    # threads that held pixels, or the lock, do not exist in the child
    decoding.__init__(AT_ONCE)  # type: ignore[misc]


in_forked_children(_after_fork_in_child)
