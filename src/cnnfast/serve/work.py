"""What callers wait for, and how a batch of it is decoded and computed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError, InputError
from cnnfast.images.preprocess import Preprocess
from cnnfast.network.stream import NOT_A_NUMBER, Answer, blamed, decode
from cnnfast.ops import Array

WORTH_A_THREAD = 8192
"""Bytes of a picture, on average, from which on several threads decode: smaller ones mostly take time of Python itself,
which threads only hand to and fro."""

Compute = Callable[[Array, str], Array]
"""From images and their layout to probabilities."""


@dataclass(eq=False, slots=True)
class Work:
    """What one caller waits for: pictures that are yet to be decoded, or an array of images.

    Attributes
    ----------
    pictures : sequence of bytes
        Encoded pictures, if there is no array.
    images : uint8 array (N, H, W, C) or float32 array (N, ...), optional
    future : asyncio.Future
        Gets a list with the row or the error of each picture, or the array of all rows; or an exception.
    """

    pictures: Sequence[bytes]
    images: Array | None
    future: asyncio.Future[Any]
    count: int
    deadline: float
    arrived: float = field(default_factory=time.perf_counter)


@frozen
class BatchReport:
    """What a batch was, for statistics: images, seconds of its parts, and how long each caller had waited before."""

    images: int
    decoding: float
    computing: float
    waiting: tuple[float, ...]


class BatchJob:
    """Decodes and computes what several callers wait for; what is wrong with one of them reaches no other.

    Parameters
    ----------
    preprocess : Preprocess or None
    compute : callable (images, layout) -> rows
    threads : int
        That decode large pictures.
    """

    def __init__(self, preprocess: Preprocess | None, compute: Compute, threads: int) -> None:
        self._preprocess, self._compute, self._threads = preprocess, compute, threads
        self._pool: ThreadPoolExecutor | None = None

    def run(self, works: Sequence[Work]) -> tuple[list[Any], BatchReport]:
        """Return the outcome of each work, which may be an exception, and what to report."""
        begin = time.perf_counter()
        outcomes: list[Any] = [None] * len(works)
        decoded = self._decoded([picture for work in works for picture in work.pictures])
        between = time.perf_counter()
        self._compute_bytes(works, decoded, outcomes)
        for number, work in enumerate(works):
            if work.images is not None and work.images.dtype != np.uint8:
                outcomes[number] = self._alone(work.images)
        end = time.perf_counter()
        waited = tuple(begin - work.arrived for work in works)
        return outcomes, BatchReport(sum(work.count for work in works), between - begin, end - between, waited)

    def close(self) -> None:
        """End the threads that decode."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _decoded(self, pictures: Sequence[bytes]) -> list[Answer]:
        preprocess = self._preprocess
        if preprocess is None or not pictures:
            return []
        if self._threads == 1 or len(pictures) == 1 or sum(map(len, pictures)) < WORTH_A_THREAD * len(pictures):
            return [decode(picture, preprocess) for picture in pictures]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="cnnfast-decode")
        return list(self._pool.map(lambda picture: decode(picture, preprocess), pictures))

    def _compute_bytes(self, works: Sequence[Work], decoded: list[Answer], outcomes: list[Any]) -> None:
        """Compute pictures and pixels of all works together, and put the outcome of each where it belongs."""
        rows = self._rows(works, decoded)
        pictures = iter(decoded)
        at = 0
        for number, work in enumerate(works):
            if work.images is None:
                answers: list[Any] = []
                for one in islice(pictures, len(work.pictures)):
                    is_bad = isinstance(one, CnnfastError)
                    answers.append(one if is_bad else rows[at])
                    at += not is_bad
                outcomes[number] = answers
            elif work.images.dtype == np.uint8:
                outcomes[number] = _together(rows[at : at + work.count])
                at += work.count

    def _rows(self, works: Sequence[Work], decoded: Iterable[Answer]) -> Array | list[Answer]:
        """Return the row of each image of bytes, in the order of the works."""
        found = iter(decoded)
        parts: list[Array] = []
        for work in works:
            if work.images is None:
                parts += [image[None] for _ in work.pictures if not isinstance(image := next(found), CnnfastError)]
            elif work.images.dtype == np.uint8 and work.count:
                parts.append(work.images)
        if not parts:
            return []
        images = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return blamed(lambda batch: self._compute(batch, "nhwc"), images)

    def _alone(self, images: Array) -> Any:
        """Compute floats by themselves: an error then names the image by its number among those of the caller."""
        try:
            rows = self._compute(images, "nchw")
        except CnnfastError as error:
            # its traceback would hold the images for as long as the error is kept
            return error.with_traceback(None)
        bad = np.isnan(rows).reshape(len(rows), -1).any(axis=1)
        return InputError(f"image {bad.argmax()}: {NOT_A_NUMBER}") if bad.any() else rows


def _together(rows: Array | list[Answer]) -> Any:
    """Return the rows of a caller's array as an array, or what is wrong with the first that has none."""
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, CnnfastError):
            return InputError(f"image {number}: {row}")
    return np.asarray(rows)
