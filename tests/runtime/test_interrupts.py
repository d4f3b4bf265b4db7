"""Ctrl-C in the middle of a call: heard at once, whatever the size of the images, and without a trace afterwards.

The calls would take many seconds; that they end within some is far from any limit of time, but not from that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from small_networks import interrupt_after
from systems import posix

from cnnfast import Network, Preprocess
from cnnfast.layers import AnyLayer, Conv2d, Flatten, GlobalAvgPool, Linear, MaxPool
from cnnfast.runtime.dispatch import kernels

CHANNELS, SIDE = 32, 400
SOON = 3.0
"""Seconds of CPU, which do not depend on what else the machine does."""
RNG = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32) / 20


LAYERS: dict[str, list[AnyLayer]] = {
    "winograd": [Conv2d(weights(CHANNELS, CHANNELS, 3, 3), padding=1) for _ in range(40)],
    "direct": [Conv2d(weights(CHANNELS, CHANNELS, 7, 7), padding=3) for _ in range(20)],
    "depthwise": [Conv2d(weights(CHANNELS, 1, 11, 11), padding=5, groups=CHANNELS) for _ in range(40)],
    "pool": [MaxPool(15, 1, 7) for _ in range(40)],
}


def for_ever(call: Callable[[], object]) -> None:
    while True:
        call()


def slow(kind: str) -> Network:
    layers = [Conv2d(weights(CHANNELS, 3, 1, 1)), *LAYERS[kind], GlobalAvgPool(), Flatten()]
    return Network.from_layers(
        [*layers, Linear(weights(5, CHANNELS))], (3, SIDE, SIDE), preprocess=Preprocess((SIDE, SIDE))
    )


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("images", "threads"), [(160, 1), (160, 2), (1, 1), (1, 2)])
def test_ctrl_c_within_steps_of_large_images(kind: str, images: int, threads: int) -> None:
    net = slow(kind)
    pixels = np.broadcast_to(np.zeros((1, SIDE, SIDE, 3), np.uint8), (images, SIDE, SIDE, 3))
    start = time.process_time()
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.3):
        # one image takes less than a second on a good machine
        for_ever(lambda: net.forward(pixels, threads=threads))
    assert time.process_time() - start < SOON


def small() -> tuple[Network, np.ndarray]:
    layers = [Conv2d(weights(CHANNELS, 3, 3, 3)), *LAYERS["winograd"][:3], GlobalAvgPool(), Flatten()]
    net = Network.from_layers(layers, (3, 64, 64), preprocess=Preprocess((64, 64)))
    return net, np.random.default_rng(1).integers(0, 256, (70, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_after_an_interrupted_call_are_those_of_before(threads: int) -> None:
    net, pixels = small()
    expected = net.forward(pixels, threads=threads)
    many = np.concatenate([pixels] * 200)
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.2):
        for_ever(lambda: net.forward(many, threads=threads))
    for count in (1, 3, 70):
        np.testing.assert_array_equal(net.forward(pixels[:count], threads=threads), expected[:count])


@posix
def test_what_a_handler_raises_comes_out_and_one_that_raises_nothing_stops_nothing() -> None:
    import signal

    net, pixels = small()
    expected = net.forward(pixels)
    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(np.float32(1e-30) * np.float32(1e-10)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.1)
        while len(heard) < 3:
            np.testing.assert_array_equal(net.forward(pixels, threads=2), expected)
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard
    # a handler is Python: denormal numbers are numbers there
    assert min(heard) > 0


def test_the_calls_of_another_thread_are_stopped() -> None:
    net, pixels = small()
    expected = net.forward(pixels)
    raised: list[BaseException] = []
    begun = threading.Event()

    def work() -> None:
        try:
            begun.set()
            while True:
                net.forward(np.broadcast_to(pixels[:1], (20_000, 64, 64, 3)), threads=1)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    while thread.is_alive():
        kernels.interrupt(thread.ident or 0)
        time.sleep(0.01)
    assert isinstance(raised[0], KeyboardInterrupt)
    assert kernels.interrupt(threading.get_ident()) == 0
    np.testing.assert_array_equal(net.forward(pixels), expected)


def test_a_stream_that_is_interrupted_ends_soon() -> None:
    net = slow("winograd")
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    start = time.process_time()
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.5):
        list(net.stream([pixels] * 400, batch=64))
    assert time.process_time() - start < SOON
