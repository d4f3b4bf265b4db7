"""An engine in its own process: it sleeps on a pipe, and runs only when it is asked to.

Engines share no thread pool, memory allocator or OpenMP library this way, and one that fails does not end the others.
"""

from __future__ import annotations

import importlib
import os
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from machine import versions
from networks import BENCHES, Bench

from peers.checks import FloatCheck, IntegerCheck, Judgment
from peers.ways import Way

TRIAL = 0.2
"""Seconds for which each way is tried, to find an engine's fastest."""


@dataclass(frozen=True)
class Ready:
    """What `Worker.prepare` found out.

    Attributes
    ----------
    way : str
        The fastest way of those whose result is right; empty if none is.
    seconds : float
        The time it takes for a batch.
    difference : float
        The largest difference of its probabilities from ours; of integers, from the engine's own in float.
    refused : dict of str to str
        Ways that were left out, and why.
    agreement : float
        The part of the pictures whose label is the same as the engine's own in float.
    """

    way: str
    seconds: float
    difference: float
    refused: dict[str, str]
    agreement: float = 1.0


class Worker:
    """Holds the networks that one engine has prepared."""

    def __init__(self, engine: str, threads: int) -> None:
        self._engine = importlib.import_module(f"peers.{engine}")
        self._threads = threads
        self._ready: dict[int, tuple[Way, np.ndarray]] = {}

    def versions(self) -> dict[str, str]:
        """Return the versions of the engine's packages."""
        return versions(self._engine.PACKAGES)

    def prepare(self, network: str, batch: int, expected: np.ndarray) -> Ready:
        """Get ready for one batch size of a network, check every way of the engine and keep the fastest."""
        bench = BENCHES[network]
        pictures = bench.pictures(batch)
        found: dict[str, tuple[float, Judgment]] = {}
        refused: dict[str, str] = {}
        check = self._check(bench, expected)
        ways = self._engine.prepare(bench, batch, self._threads)
        for name, way in ways.items():
            try:
                judgment = check(way)
            except Exception as error:
                refused[name] = f"{type(error).__name__}: {error}"[:200]
                continue
            if judgment.wrong:
                refused[name] = judgment.wrong
            else:
                found[name] = min(_times(way, pictures, TRIAL)), judgment
        if not found:
            return Ready("", float("nan"), float("nan"), refused)
        best = min(found, key=lambda name: found[name][0])
        self._ready[batch] = ways[best], pictures
        seconds, judgment = found[best]
        return Ready(best, seconds, judgment.difference, refused, judgment.agreement)

    def _check(self, bench: Bench, expected: np.ndarray) -> FloatCheck | IntegerCheck:
        """Return what every way has to pass; an engine of integers names the one whose floats are its own."""
        name = getattr(self._engine, "FLOAT", None)
        if name is None:
            return FloatCheck(bench, expected)
        engine = importlib.import_module(f"peers.{name}")
        return IntegerCheck(bench, expected, engine.prepare(bench, len(expected), self._threads))

    def time(self, batch: int, seconds: float) -> list[float]:
        """Return the time of each call, repeated for that many seconds but at least once."""
        return _times(*self._ready[batch], seconds)

    def forget(self) -> None:
        """Free what was prepared."""
        self._ready.clear()


def _times(way: Way, pictures: np.ndarray, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        start = time.perf_counter()
        way(pictures)
        times.append(time.perf_counter() - start)
    return times


def serve(pipe: Connection, engine: str, threads: int, log: str) -> None:
    """Answer requests (method, arguments) until the pipe closes; an answer is (result, None) or (None, error)."""
    _redirect_output(log)
    worker, missing = _worker(engine, threads)
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        if worker is None:
            pipe.send((None, missing))
            continue
        try:
            answer: tuple[Any, str | None] = getattr(worker, method)(*arguments), None
        except Exception as error:
            traceback.print_exc()
            answer = None, f"{type(error).__name__}: {error}"[:300]
        pipe.send(answer)


def _worker(engine: str, threads: int) -> tuple[Worker | None, str]:
    """Return the worker of an engine, or why there is none: most often a package that is not installed."""
    try:
        return Worker(engine, threads), ""
    except Exception as error:
        traceback.print_exc()
        return None, f"{type(error).__name__}: {error}"[:300]


def _redirect_output(log: str) -> None:
    """Send what engines and their converters print to a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
