"""Where the chunks of a step are computed."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, as_completed
from concurrent.futures import Executor as Pool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from cnnfast.errors import ConfigError, TrainingError
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.forks import open_in_forked_children
from cnnfast.runtime.threads import checked
from cnnfast.train.engine.chunks import Partial, pieces
from cnnfast.train.parallel.job import Job
from cnnfast.train.parallel.worker import StepTask, Worker, compute_piece

MOST_PARTS = 16
"""Chunks of a batch, and so the most workers that have something to do."""

RETRIES = 3
"""How often the pieces of one step are tried again after a worker was lost."""


@runtime_checkable
class Executor(Protocol):
    """What computes the chunks of steps for `cnnfast.train.fit`.

    To add one, write these three methods; results do not depend on it, whatever it does.
    """

    def begin(self, job: Job) -> None:
        """Take what workers need for all steps of a run."""
        ...

    def compute(self, task: StepTask) -> Iterable[Partial]:
        """Return each chunk of a step once, in any order."""
        ...

    def end(self) -> None:
        """Release what `begin` has taken; called at the end of every run, after an error too."""
        ...


class InProcess:
    """Computes piece after piece in this process: the smallest executor, with which others are compared.

    Parameters
    ----------
    parts : int
        Pieces into which the chunks of a step are divided.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast import Network
    >>> from cnnfast.layers import Linear
    >>> from cnnfast.train import Recipe, fit
    >>> net = Network.from_layers([Linear(np.zeros((2, 2)), np.zeros(2))], input_shape=(2,))
    >>> data = np.eye(2, dtype=np.float32).repeat(40, axis=0), np.arange(2).repeat(40)
    >>> apart = fit(net, data, Recipe(epochs=2), executor=InProcess(parts=3)).network
    >>> bool((apart.predict_proba(data[0]) == fit(net, data, Recipe(epochs=2)).network.predict_proba(data[0])).all())
    True
    """

    def __init__(self, parts: int = MOST_PARTS) -> None:
        self.parts = checked_parts(parts)
        self._worker: Worker | None = None

    def begin(self, job: Job) -> None:
        """Make the worker."""
        self._worker = Worker(job)

    def compute(self, task: StepTask) -> Iterable[Partial]:
        """Return all chunks."""
        assert self._worker is not None
        return [self._worker.compute(task, piece) for piece in pieces(task.total, self.parts)]

    def end(self) -> None:
        """Let the worker go."""
        self._worker = None


class Futures:
    """Computes in a pool of ``concurrent.futures``, or one with its interface: loky, Dask's ``client.get_executor()``.

    Its workers read the job from a file in the folder for temporary files, which all of them must see.

    Parameters
    ----------
    pool : Executor of concurrent.futures, or callable
        A pool, which stays open; or what makes one, for which a pool that lost a worker is made again.
    parts : int
        Pieces into which the chunks of a step are divided: as many as there are workers.
    threads : int
        Of each worker.

    Raises
    ------
    ConfigError
        For an argument of another kind or out of range.
    """

    hint = ""
    """What else may be wrong where workers are lost every time."""

    def __init__(self, pool: Pool | Callable[[], Pool], parts: int = MOST_PARTS, threads: int = 1) -> None:
        if isinstance(pool, type) or not (callable(pool) or hasattr(pool, "submit")):
            raise ConfigError(
                f"pool must be a pool of concurrent.futures, or a function that makes one, but is {quoted(pool)}; "
                "for example ProcessPoolExecutor(4)"
            )
        self.parts, self.threads = checked_parts(parts), checked(threads)
        self._make = pool if callable(pool) else None
        self._pool: Pool | None = None if callable(pool) else pool
        self._folder: Path | None = None

    def begin(self, job: Job) -> None:
        """Write the job to a file."""
        self._folder = Path(tempfile.mkdtemp(prefix="cnnfast-job-"))
        job.save(self._folder / "job.safetensors")

    def compute(self, task: StepTask) -> Iterable[Partial]:
        """Return all chunks; those of workers that were lost are computed again.

        Raises
        ------
        TrainingError
            If workers are lost again and again, or the pool is not ours to make again.
        """
        waiting, found = pieces(task.total, self.parts), list[Partial]()
        for attempt in range(RETRIES + 1):
            try:
                self._collect(task, waiting, found)
                return found
            except BrokenExecutor as error:
                done = {partial.chunks for partial in found}
                waiting = [piece for piece in waiting if piece not in done]
                self._replace(error, last=attempt == RETRIES)
        raise AssertionError("the last attempt returns or raises")

    def _collect(self, task: StepTask, waiting: list[range], found: list[Partial]) -> None:
        assert self._folder is not None
        if self._pool is None:
            assert self._make is not None
            self._pool = self._make()
        compute = partial(compute_piece, self._folder / "job.safetensors", self.threads, task)
        futures = [self._pool.submit(compute, piece) for piece in waiting]
        try:
            for future in as_completed(futures):
                found.append(future.result())
        finally:
            for future in futures:
                future.cancel()

    def _replace(self, error: BrokenExecutor, last: bool) -> None:
        if self._make is None or last:
            advice = "give Futures a function that makes the pool, and it is made again"
            if self._make is not None:
                advice = f"the step was tried {RETRIES + 1} times: use fewer workers{self.hint}"
            raise TrainingError(
                f"a worker was lost while it computed a part of a step: {error}; it may have been killed for lack of "
                f"memory; {advice}"
            ) from error
        self._shut()

    def end(self) -> None:
        """Close the pool, if it was made here, and remove the file."""
        if self._make is not None:
            self._shut()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _shut(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None


class Processes(Futures):
    """Computes in processes of this machine, which are started for the run and end with it.

    A script that uses it begins with ``if __name__ == "__main__":``, as for all of ``multiprocessing``.

    Parameters
    ----------
    workers : int
    threads : int
        Of each.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    hint = """, and begin the script with `if __name__ == "__main__":`, because every process imports it"""

    def __init__(self, workers: int, threads: int = 1) -> None:
        self.workers = checked_parts(workers, "workers")
        super().__init__(self._start, min(workers, MOST_PARTS), threads)

    def _start(self) -> Pool:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # A fork of a process whose OpenMP has several threads would compute with one.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=_leave_interrupts)


@contextmanager
def working(executor: Executor, job: Job) -> Iterator[None]:
    """Let an executor work on a job inside a ``with`` block.

    Raises
    ------
    ConfigError
        If it works on another one: it would compute steps of one run with the images of the other.
    """
    with _only_here(executor):
        try:
            executor.begin(job)
            yield
        finally:
            executor.end()


_at_work: set[int] = set()
"""The identities of the executors that have a job."""
_lock = threading.Lock()
open_in_forked_children(_lock)


@contextmanager
def _only_here(executor: Executor) -> Iterator[None]:
    with _lock:
        if id(executor) in _at_work:
            raise ConfigError(
                f"this {type(executor).__name__} is at work on another run of fit; make one for each run: several may "
                "share a pool, Futures(pool), or a session of Spark"
            )
        _at_work.add(id(executor))
    try:
        yield
    finally:
        _at_work.discard(id(executor))


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that trains decides what becomes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def checked_parts(parts: object, name: str = "parts") -> int:
    """Return a number of pieces or workers.

    Raises
    ------
    ConfigError
        If it is not an integer from 1.
    """
    if isinstance(parts, bool) or not hasattr(parts, "__index__") or parts.__index__() < 1:
        raise ConfigError(f"{name} must be an integer from 1, but is {quoted(parts)}")
    return int(parts.__index__())


def checked_executor(executor: object) -> Executor:
    """Return what `fit` was given as its executor.

    Raises
    ------
    ConfigError
        If it cannot compute the chunks of a step.

    Examples
    --------
    >>> checked_executor(4)
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: executor must be InProcess(), Processes(4), ... but is 4
    """
    try:
        is_one, is_pool = not isinstance(executor, type) and isinstance(executor, Executor), hasattr(executor, "submit")
    # looking for a method runs what an object of any class does for that
    except Exception:
        is_one = is_pool = False
    if not is_one:
        hint = "; a pool is wrapped: Futures(pool)" if is_pool else ""
        raise ConfigError(
            "executor must be InProcess(), Processes(4), Futures(pool) or another one with the methods begin, compute "
            f"and end, but is {quoted(executor)}{hint}"
        )
    return cast(Executor, executor)
