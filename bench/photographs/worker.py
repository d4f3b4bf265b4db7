"""A way in its own process, because thread pools and decoders disturb each other; it sleeps until it is asked."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import versions

from photographs.ways import WAYS

LONGEST_WAIT = 300


class Pass(NamedTuple):
    """One pass over the photographs: seconds, seconds of processor time of the way's own process, and labels."""

    seconds: float
    processor: float
    labels: np.ndarray


class WayProcess:
    """One way of `photographs.ways.WAYS`, by its number, prepared for some photographs."""

    def __init__(self, number: int, paths: Sequence[Path], threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # not a daemon: a DataLoader has children
        self._process = context.Process(target=_serve, args=(theirs, number, list(paths), threads))
        self._process.start()
        theirs.close()

    def run(self) -> Pass | str:
        """Return what a pass over the photographs took and gave, or why there is nothing."""
        return self._ask("run")

    def versions(self) -> dict[str, str]:
        """Return the versions of the packages."""
        return self._ask("versions")

    def _ask(self, what: str) -> Any:
        try:
            self._pipe.send(what)
            return self._pipe.recv() if self._pipe.poll(LONGEST_WAIT) else "does not answer"
        except (EOFError, OSError):
            return "its process has ended"

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()


def _serve(pipe: Connection, number: int, paths: list[Path], threads: int) -> None:
    way, run = WAYS[number], None
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        if question == "versions":
            pipe.send(versions(way.packages))
            continue
        try:
            run = run or way.prepare(paths, threads)
            before = time.perf_counter(), time.process_time()
            labels = run()
            pipe.send(Pass(time.perf_counter() - before[0], time.process_time() - before[1], labels))
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}"[:200])
