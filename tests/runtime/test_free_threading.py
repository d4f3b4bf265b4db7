"""What Pythons without a GIL have to do for themselves; `tools/free_threaded.sh` runs these and others with one."""

from __future__ import annotations

import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fresh_python import output_of
from small_networks import photographs, small_net

from cnnfast import Network
from cnnfast.layers import Conv2d, Flatten, Linear, Relu
from cnnfast.runtime.dispatch import kernels

MANY = 8


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL")
def test_the_gil_stays_off() -> None:
    assert output_of("import sys, cnnfast.cli.parser, cnnfast.network; print(sys._is_gil_enabled())") == "False"


def test_calls_of_many_threads_share_the_idle_memory() -> None:
    """Twice as many calls as blocks that are kept, and of many sizes: each works in memory of its own."""
    layers = [[Conv2d(filters, 3), Relu(), Flatten(), Linear(2)] for filters in (1, 5, 20, 80)]
    nets = [Network.build(each, (3, 8, 8), preprocess="1/255") for each in layers]
    images = photographs(70)
    expected = [net.predict_proba(images, threads=1) for net in nets]

    def call(turn: int) -> bool:
        which, count = turn % len(nets), 1 + 13 * turn % 70
        return np.array_equal(nets[which].predict_proba(images[:count], threads=1), expected[which][:count])

    with ThreadPoolExecutor(MANY) as pool:
        assert all(pool.map(call, range(40 * MANY)))
    blocks, size = kernels.idle_memory()
    assert 1 <= blocks <= 16
    assert size <= 64 << 20


def test_a_thread_is_looked_for_while_calls_begin_and_end() -> None:
    net, images, done = small_net(), photographs(1), threading.Event()
    expected = net.predict_proba(images, threads=1)

    def look() -> int:
        looks = 0
        while not done.is_set():
            looks += 1
            # no thread has this number
            assert kernels.interrupt(0) == 0
        return looks

    with ThreadPoolExecutor(MANY) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        calls = [
            pool.submit(lambda: [net.predict_proba(images, threads=1) for _ in range(300)]) for _ in range(MANY - 2)
        ]
        results = [result for call in calls for result in call.result()]
        done.set()
        assert all(look.result() for look in looking)
    assert all(np.array_equal(result, expected) for result in results)
