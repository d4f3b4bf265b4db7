"""``cnnfast classify --watch FOLDER``: pictures are classified as they arrive."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from cnnfast.cli import INTERRUPTED, OK
from cnnfast.cli.progress import log
from cnnfast.errors import ConfigError
from cnnfast.images.pictures.files import iter_pictures
from cnnfast.images.pictures.skipped import Skipped
from cnnfast.runtime.paths import in_order

State = tuple[int, int]
"""Size of a file, and time of its last change."""

SECONDS = 1.0
"""Between two looks: a file is complete if both show the same size and the same time."""


class Arrivals:
    """Finds pictures that are new and complete.

    Parameters
    ----------
    paths : list of str
        Folders.
    videos : bool
        Whether videos count as pictures.

    Attributes
    ----------
    done : set of Path
    skipped : Skipped
        Counts the files that were not taken for pictures in the last look.
    """

    def __init__(self, paths: list[str], videos: bool = False) -> None:
        self._paths, self._videos, self.skipped = paths, videos, Skipped()
        self._last: dict[Path, State] = {}
        self.done: set[Path] = set()

    def look(self) -> list[Path]:
        """Return the pictures that are new and have not changed since the last look."""
        self.skipped = Skipped()
        found = [one.path for one in iter_pictures(self._paths, self.skipped, videos=self._videos)]
        now = {path: state for path in found if (state := _state(path)) is not None}
        ready = [path for path, state in now.items() if path not in self.done and self._last.get(path) == state]
        self._last = now
        return ready


def _state(path: Path) -> State | None:
    try:
        status = os.stat(path)
    except OSError:  # gone again, or not to be read
        return None
    return status.st_size, status.st_mtime_ns


def run(args: argparse.Namespace, one_pass: Callable[[], int]) -> int:
    """Classify what is there, and then what arrives, until Ctrl-C.

    Parameters
    ----------
    args : Namespace
        Whose paths are those of the next pass.
    one_pass : callable
        Classifies the pictures of ``args.paths`` and returns an exit status.
    """
    for path in args.paths:
        if not os.path.isdir(path):
            raise ConfigError(f"--watch: {path} is not a folder; pictures arrive in folders")
    if args.move_to is not None:
        raise ConfigError("--watch does not go with --move-to: pictures that are gone would be missed; use --copy-to")
    arrivals, status = Arrivals(list(args.paths), videos=args.every is not None), OK
    log(f"watching {', '.join(args.paths)}; Ctrl-C ends")
    try:
        while True:
            ready = arrivals.look()
            if ready:
                arrivals.done.update(ready)
                # rows of --out are kept, so all that are there are named; without it, only the new ones
                args.paths = [str(path) for path in (in_order(arrivals.done) if args.out is not None else ready)]
                found = one_pass()
                if found == INTERRUPTED:
                    return INTERRUPTED
                status = max(status, found)
                args.resume, args.force = args.out is not None, False
            time.sleep(SECONDS)
    except KeyboardInterrupt:
        files = "pictures" if args.every is None else "pictures and videos"
        log(*arrivals.skipped.lines(), f"watched: {len(arrivals.done):,} {files}")
        return status
