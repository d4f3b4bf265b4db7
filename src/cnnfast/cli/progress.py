"""What a run prints on stderr: a bar while it runs, what could not be read, and how fast it was."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Self

from cnnfast._bar import above, open_bar
from cnnfast.errors import PictureError
from cnnfast.runtime.escapes import in_line, told

ENOUGH = 100
"""Images of a run from which on its speed is said."""

MAX_LISTED = 1000
"""Unreadable pictures named at the end; memory must stay constant even if all are."""


class Progress:
    """A bar with rate and time left, shown on a terminal and in notebooks.

    Parameters
    ----------
    total : int
        Number of images.
    done : int
        How many of them an earlier run has done.
    quiet : bool
        Show no bar.
    """

    def __init__(self, total: int, done: int = 0, quiet: bool = False) -> None:
        self._bar = open_bar(total, done, " images", False if quiet else None)
        self.here = 0
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, images: int) -> None:
        """Count some images as done."""
        self.here += images
        if self._bar is not None:
            self._bar.update(images)

    def print(self, lines: Sequence[str]) -> None:
        """Print lines on stdout, above the bar."""
        if lines:
            with above(self._bar):
                print("\n".join(lines), flush=True)

    def log(self, line: str) -> None:
        """Print a line on stderr, above the bar."""
        with above(self._bar):
            log(line)

    @property
    def speed(self) -> str:
        """What to say about the speed: images per second since the start; "" where there were too few to tell."""
        return speed_of(self.here, time.perf_counter() - self._start)


def speed_of(images: int, seconds: float) -> str:
    """Return the end of a summary; of a few images "", because the start takes longer than they do.

    Examples
    --------
    >>> speed_of(200, 0.5), speed_of(3, 0.5)
    ('; 400 images/s', '')
    """
    return f"; {images / max(seconds, 1e-9):,.0f} images/s" if images >= ENOUGH else ""


class Failures:
    """The images that have no result, named up to `MAX_LISTED`.

    Examples
    --------
    >>> failures = Failures()
    >>> failures.add("a.png", "is empty")
    >>> failures.count, failures.lines()
    (1, ['1 could not be read:', '  a.png: is empty'])
    """

    def __init__(self) -> None:
        self.count = 0
        self._listed: list[str] = []
        self._notes: dict[str, None] = {}

    def add(self, name: str, reason: str) -> None:
        """Remember one."""
        self.count += 1
        if len(self._listed) < MAX_LISTED:
            self._listed.append(f"  {in_line(name)}: {told(reason)}")

    def add_error(self, error: PictureError) -> None:
        """Remember one."""
        self.add(error.path, error.reason)

    def note(self, lines: Iterable[str]) -> None:
        """Remember what else to say, once each."""
        self._notes.update(dict.fromkeys(lines))

    def lines(self) -> list[str]:
        """Return what to print at the end."""
        if not self.count:
            return [*self._notes]
        rest = self.count - len(self._listed)
        more = [f"  and {rest:,} more"] if rest else []
        return [f"{self.count:,} could not be read:", *self._listed, *more, *self._notes]


def log(*lines: str) -> None:
    """Print lines on stderr."""
    for line in lines:
        print(line, file=sys.stderr)
