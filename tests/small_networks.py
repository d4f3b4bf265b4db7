"""Networks that several tests use, pictures for them, and a Ctrl-C that comes on time."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cnnfast import Network, Preprocess
from cnnfast.layers import (
    AnyLayer,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Relu,
    Residual,
)


def head(*layers: AnyLayer, classes: list[str] | None = None, outputs: int = 3) -> Network:
    """A network whose scores are its input, so that only what comes after them counts."""
    return Network.from_layers([Linear(np.eye(outputs)), *layers], (outputs,), classes=classes)


def small_net(**options: object) -> Network:
    """A network on (3, 8, 8) bytes with a bit of everything."""
    rng = np.random.default_rng(0)
    block = [Conv2d(rng.standard_normal((6, 6, 3, 3)) / 7, padding=1)]
    layers = [
        Conv2d(rng.standard_normal((6, 3, 3, 3)) / 5, rng.standard_normal(6), padding=1, name="first"),
        BatchNorm(rng.random(6), rng.random(6), rng.random(6), 1 + rng.random(6)),
        Relu(name="first_relu"),
        Residual(block),
        Relu(),
        MaxPool(2),
        GlobalAvgPool(),
        Flatten(),
        Linear(rng.standard_normal((4, 6)), rng.standard_normal(4), name="scores"),
    ]
    given = {"preprocess": Preprocess((8, 8)), "classes": ["bird", "cat", "deer", "dog"], **options}
    return Network.from_layers(layers, (3, 8, 8), **given)  # type: ignore[arg-type]


def photographs(count: int = 50) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


@contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Press Ctrl-C in a while."""
    # one that falls into the end of an old thread, which Python lets no exception out of, would not be heard
    gc.collect()
    if os.name == "nt":
        timer = threading.Timer(seconds, _thread.interrupt_main)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        return

    def press(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
