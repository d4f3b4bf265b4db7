"""The other end of the pipe: starts the processes of the engines and asks them, one at a time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peers.worker import serve


class EngineError(Exception):
    """An engine could not do what it was asked to."""


class Engine:
    """One engine, in its own process."""

    def __init__(self, name: str, threads: int, log: str) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, threads, log), daemon=True)
        with _thread_variables(threads):
            self._process.start()
        theirs.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return what a method of `peers.worker.Worker` returns.

        Raises
        ------
        EngineError
            If it raised, or the process has died.
        """
        try:
            self._pipe.send((method, arguments))
            answer, error = self._pipe.recv()
        except (EOFError, OSError) as broken:
            raise EngineError(f"the process of {self.name} has ended: {type(broken).__name__}") from broken
        if error:
            raise EngineError(error)
        return answer

    def close(self) -> None:
        """Let the process end."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()


@contextmanager
def _thread_variables(threads: int) -> Iterator[None]:
    """Tell the libraries of a new process their number of threads; NumPy's own has one."""
    wanted = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
