"""What a worker does: the views of its images, the weights of the step, and the chunks it was asked for."""

from __future__ import annotations

import threading
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.runtime.forks import open_in_forked_children
from cnnfast.runtime.threads import of_call
from cnnfast.train.engine.chunks import Partial, chunk_images, images_of, joined
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.parallel.job import Job, load_job
from cnnfast.train.sources import Maker, epoch_parts

AT_ONCE = 1024
"""Images that a thread computes at once, if a chunk has no more: each takes memory for its input."""


@frozen(eq=False)
class StepTask:
    """One step of a run.

    Attributes
    ----------
    epoch, batch : int
        Which epoch, and which batch of it, both from 0.
    step : int
        How many steps have been made.
    total : int
        Images of the batch.
    weights : tuple of array
        The trained parameters, in the order of `Job.trained`.
    """

    epoch: int
    batch: int
    step: int
    total: int
    weights: tuple[Array, ...]


class Worker:
    """Computes chunks of one job, one piece at a time.

    Parameters
    ----------
    job : Job
    threads : int, optional
        As everywhere in cnnfast.
    """

    def __init__(self, job: Job, threads: int | None = None) -> None:
        self.job, self.threads = job, threads
        self._engine: ChwnEngine | None = None
        self._epoch = -1
        self._parts: list[Array] = []
        self._views: Maker | None = None

    def compute(self, task: StepTask, chunks: range) -> Partial:
        """Return what some neighboring chunks contribute to a step."""
        part, views = self._batch(task)
        engine = self._engine_with(task)
        at_once = max(of_call(self.threads), AT_ONCE // chunk_images(task.total))
        found = []
        for first in range(chunks.start, chunks.stop, at_once):
            some = range(first, min(first + at_once, chunks.stop))
            numbers = part[images_of(some, task.total)]
            labels = self.job.source.examples.labels[numbers]
            found.append(engine.partial(views(numbers), labels, task.step, total=task.total, chunk=some))
        return joined(found)

    def _batch(self, task: StepTask) -> tuple[Array, Maker]:
        if self._views is None or self._epoch != task.epoch:
            source, recipe = self.job.source, self.job.recipe
            self._parts = epoch_parts(recipe, task.epoch, len(source.examples))
            self._views, self._epoch = source.views(task.epoch), task.epoch
        return self._parts[task.batch], self._views

    def _engine_with(self, task: StepTask) -> ChwnEngine:
        images = min(task.total, max(AT_ONCE, of_call(self.threads) * chunk_images(task.total)))
        if self._engine is None or self._engine.batch < images:
            self._engine = self.job.engine(images, self.threads)
        for name, array in zip(self.job.trained, task.weights, strict=True):
            self._engine.parameters[name][...] = array
        return self._engine


_idle: dict[Path, list[Worker]] = {}
"""Workers that are not at work, by the file of their job: several threads of a process may ask for one at once."""
_lock = threading.Lock()
open_in_forked_children(_lock)


def compute_piece(path: Path, threads: int | None, task: StepTask, chunks: range) -> Partial:
    """Return what some neighboring chunks contribute to a step of the job in a file; it is kept for the next step."""
    with _lock:
        if path not in _idle:
            # a run that has ended has removed its file; those of several runs may share a pool
            for ended in [other for other in _idle if not other.exists()]:
                del _idle[ended]
            _idle[path] = []
        worker = _idle[path].pop() if _idle[path] else None
    if worker is None:
        worker = Worker(load_job(path), threads)
    found = worker.compute(task, chunks)
    with _lock:
        if path in _idle:
            _idle[path].append(worker)
    return found
