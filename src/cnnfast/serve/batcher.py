"""Many callers, one network: what arrives while a batch is computed is the next batch."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from os import PathLike
from typing import Any, Self

import numpy as np

from cnnfast.errors import BusyError, CnnfastError, InputError
from cnnfast.network.compiled import checked_batch
from cnnfast.network.network import Network
from cnnfast.network.runner import NO_PREPROCESSING
from cnnfast.network.stream import Answer
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range, quoted, whole
from cnnfast.runtime.forks import open_in_forked_children
from cnnfast.runtime.threads import decide
from cnnfast.serve.deadlines import Deadlines
from cnnfast.serve.work import BatchJob, BatchReport, Work

FULL = 16
"""Images that fill the lanes of a vector: one thread computes them for hardly more CPU time than half of them."""

MUCH = 1 << 30
"""Multiply-adds of a batch, some 30 ms of a core, from which on all threads compute it, however few its images are."""


_forked = threading.Lock()
open_in_forked_children(_forked)


class Batcher:
    """Classifies what many tasks of asyncio ask for, in batches, in a thread of its own.

    There is no timer: an idle batcher starts at once, and what arrives while a batch is computed is the next one.
    Pictures are decoded in the same thread, large ones by several threads, so the event loop is never blocked. Results
    do not depend on who shares a batch: they are bit-identical to `Network.predict_proba`. A caller that is cancelled,
    or whose time is over, is dropped before anything is computed for it.

    The thread starts with the first call, in a forked process with the first call there.

    Parameters
    ----------
    network : Network, str or path
        If not a network, what `Network.load` takes.
    batch : int
        Images that are computed together; a call with more than that is a batch by itself.
    waiting : int
        Images that may wait. A call beyond that is refused with `BusyError`, unless nothing waits.
    timeout : float
        Seconds after which a caller gets `LateError`.
    threads : int, optional
        By default `cnnfast.get_num_threads`.
    report : callable (BatchReport), optional
        Called in the batcher's thread after each batch, for statistics; must not raise.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Examples
    --------
    >>> import asyncio, io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "red").save(file, "PNG")
    >>> async def main():
    ...     async with Batcher("cifar10-cs61c") as batcher:
    ...         return await batcher.classify(file.getvalue())
    >>> asyncio.run(main()).shape
    (10,)
    """

    judges = False
    """Whether a row has one more number: 1 if the image is unlike what the network has learned from, else 0."""

    def __init__(
        self,
        network: Network | str | PathLike[str],
        *,
        batch: int = 64,
        waiting: int = 512,
        timeout: float = 10.0,
        threads: int | None = None,
        report: Callable[[BatchReport], None] | None = None,
    ) -> None:
        self.network = network if isinstance(network, Network) else Network.load(network)
        self._batch = checked_batch(batch)
        self._most = whole("waiting", waiting, least=1)
        check_range("timeout", timeout, above=0)
        self._timeout = float(timeout)
        self._threads = decide(threads)[0]
        self._report = report
        self._is_closing = False
        self._begin()

    def _begin(self) -> None:
        """Start with nothing that waits and without a thread, also in a process that was forked in the meantime."""
        self._queue: deque[Work] = deque()
        self._images = 0
        self._changed = threading.Condition()
        self._waking: asyncio.AbstractEventLoop | None = None
        self._deadlines: dict[asyncio.AbstractEventLoop, Deadlines] = {}
        self._thread: threading.Thread | None = None
        # last: other threads of a child may look at it
        self._process = os.getpid()

    def _notice_fork(self) -> None:
        if self._process != os.getpid():
            with _forked:
                if self._process != os.getpid():
                    self._begin()

    @property
    def waiting(self) -> int:
        """How many images wait now, besides those that are being computed."""
        self._notice_fork()
        return self._images

    async def classify(self, picture: bytes | bytearray | memoryview) -> Array:
        """Return the probability of each class for one encoded picture.

        Parameters
        ----------
        picture : bytes
            The content of a file of any format that Pillow decodes by itself.

        Returns
        -------
        float32 array (K,) or (*answer_shape, K)

        Raises
        ------
        PictureError
            If it cannot be read.
        InputError
            If the network takes no pictures, or its result is not a number.
        BusyError
            If too many images wait, or the batcher is being closed.
        LateError
            If there was no result in time.
        """
        (answer,) = await self.classify_many([picture])
        if isinstance(answer, CnnfastError):
            raise answer
        return answer

    async def classify_many(self, pictures: Sequence[bytes | bytearray | memoryview]) -> list[Answer]:
        """Return for each of some encoded pictures its row of probabilities, or the error that explains why not.

        Raises
        ------
        InputError
            If the network takes no pictures, or one of them is not bytes.
        BusyError, LateError
            As for `classify`.
        """
        for picture in pictures:
            if not isinstance(picture, bytes | bytearray | memoryview):
                raise InputError(f"a picture must be bytes, the content of its file, but is {quoted(picture)}")
        answers: list[Answer] = await self.submit([bytes(picture) for picture in pictures], None, len(pictures))
        return answers

    async def predict_proba(self, images: Array) -> Array:
        """Return the probabilities of images that have the network's size.

        Parameters
        ----------
        images : uint8 array (N, H, W, C) or float array (N, C, H, W)
            Pixels, or values that are preprocessed already.

        Returns
        -------
        float32 array (N, K) or (N, *answer_shape, K)

        Raises
        ------
        InputError
            If the images do not fit; other callers do not notice.
        BusyError, LateError
            As for `classify`.
        """
        rows: Array = await self.submit((), images, len(self._checked(images)))
        return rows

    def _checked(self, images: Array) -> Array:
        if not isinstance(images, np.ndarray) or images.ndim < 2 or len(images) == 0:
            raise InputError(f"images must be an array of one or more images, (N, ...), but are {quoted(images)}")
        if images.dtype.kind == "f":
            with np.errstate(over="ignore"):
                return images.astype(np.float32, copy=False)
        if images.dtype != np.uint8:
            raise InputError(f"images must be uint8 pixels or floats, but their dtype is {images.dtype}")
        preprocess = self.network.preprocess
        if preprocess is None:
            raise InputError(NO_PREPROCESSING)
        height, width, channels = (*preprocess.size, preprocess.channel_count)
        if images.shape[1:] != (height, width, channels):
            raise InputError(
                f"pixels must have the shape (N, {height}, {width}, {channels}), but it is {images.shape}; "
                "fit others with cnnfast.fit_images, or give the picture's file"
            )
        return images

    def submit(self, pictures: Sequence[bytes], images: Array | None, count: int) -> asyncio.Future[Any]:
        """Let pictures or images wait for their batch, and return what gets the result; for servers.

        Parameters
        ----------
        pictures : sequence of bytes
            Encoded pictures, if there are no images.
        images : array, optional
            As `predict_proba` takes them.
        count : int
            How many there are.

        Returns
        -------
        asyncio.Future
            Of a list as `classify_many` returns it, or of an array. Cancel it if the result is not wanted any more.

        Raises
        ------
        InputError, BusyError
            As for `classify` and `predict_proba`.
        """
        if images is not None:
            images = self._checked(images)
        elif self.network.preprocess is None:
            raise InputError(NO_PREPROCESSING)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._notice_fork()
        with self._changed:
            if self._is_closing:
                raise BusyError("the batcher is being closed and takes no more images")
            if self._images and self._images + count > self._most:
                raise BusyError(f"{self._images} images wait already, of at most {self._most}; try again later")
            if loop not in self._deadlines:
                for ended in [other for other in self._deadlines if other.is_closed()]:
                    del self._deadlines[ended]
                self._deadlines[loop] = Deadlines(loop, self._timeout)
            self._queue.append(Work(pictures, images, future, count, self._deadlines[loop].add(future)))
            self._images += count
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="cnnfast-batch", daemon=True)
                self._thread.start()
            if self._waking is not loop:
                # What has arrived together is to be one batch: the thread wakes when this turn of the loop is over.
                self._waking = loop
                loop.call_soon(self._wake)
        return future

    def _wake(self) -> None:
        with self._changed:
            self._waking = None
            self._changed.notify()

    def _serve(self) -> None:
        """Compute batch after batch, in the batcher's thread, until it is closed and nothing waits."""
        job = BatchJob(self.network.preprocess, self._compute, self._threads)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: (self._queue and self._waking is None) or self._is_closing)
                works = self._take()
                if not works and self._is_closing and not self._queue:
                    break
            if works:
                self._run(job, works)
        job.close()

    def _take(self) -> list[Work]:
        """Take what is computed next off the queue, without those that no one waits for any more."""
        now = time.monotonic()
        works: list[Work] = []
        total = 0
        while self._queue and (not works or total + self._queue[0].count <= self._batch):
            work = self._queue.popleft()
            self._images -= work.count
            if not work.future.done() and now < work.deadline:
                works.append(work)
                total += work.count
        return works

    def _run(self, job: BatchJob, works: list[Work]) -> None:
        try:
            outcomes, report = job.run(works)
            if self._report is not None:
                self._report(report)
        # whatever happens, no caller may wait for ever; memory may be short, or a thread may not start
        except BaseException as error:
            outcomes = [error] * len(works)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = defaultdict(list)
        for work, outcome in zip(works, outcomes, strict=True):
            by_loop[work.future.get_loop()].append((work.future, outcome))
        for loop, pairs in by_loop.items():
            # a loop that was closed has no callers any more
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_deliver, pairs)

    def _compute(self, images: Array, layout: str) -> Array:
        threads = self._threads_for(len(images))
        return self.network.predict_proba(images, layout=layout, threads=threads)

    def _threads_for(self, images: int) -> int:
        """Return how many threads compute some images: a second one for a few small ones costs more than it gains."""
        if images * self._work_of_one >= MUCH:
            return self._threads
        return min(self._threads, -(-images // FULL))

    @cached_property
    def _work_of_one(self) -> int:
        graph = self.network.graph
        return sum(graph.cost(node).macs for node in graph.nodes)

    async def close(self) -> None:
        """Take no more calls, finish those that wait, and end the thread."""
        self._notice_fork()
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        loop = asyncio.get_running_loop()
        if self._thread is not None:
            await loop.run_in_executor(None, self._thread.join)
        if loop in self._deadlines:
            self._deadlines.pop(loop).close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _deliver(pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
    """Give callers what they wait for; runs in their loop."""
    for future, outcome in pairs:
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
