"""What is made once, although several threads ask for it at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fresh_python import NEEDS_GIL, output_of

from cnnfast.runtime.once import made_once


class Slow:
    def __init__(self) -> None:
        self.made = 0

    @made_once
    def value(self) -> list[int]:
        self.made += 1
        time.sleep(0.02)
        if self.made == 1:
            raise OSError("the first time")
        return [self.made]


def test_the_first_thread_makes_it_and_the_others_wait() -> None:
    slow = Slow()
    with pytest.raises(OSError, match="the first time"):
        _ = slow.value
    gate = threading.Barrier(8)

    def ask() -> list[int]:
        gate.wait()
        return slow.value

    with ThreadPoolExecutor(8) as executor:
        answers = [each.result() for each in [executor.submit(ask) for _ in range(8)]]
    assert slow.made == 2
    assert all(answer is answers[0] for answer in answers)


def test_of_a_class_it_is_the_property_itself() -> None:
    assert isinstance(Slow.value, made_once)


FORK_WHILE_PLANNING = """
import os, signal, threading, time, cnnfast.runtime.threads
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.once import made_once
class Slow:
    @made_once
    def value(self):
        held.set(); time.sleep(0.2); return 42
held = threading.Event()
other = threading.Thread(target=lambda: Slow().value)
other.start(); held.wait()
child = {fork}
if child == 0:
    signal.alarm(20)
    os._exit(Slow().value)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), Slow().value)
other.join()
"""

BY_C = "_imp.acquire_lock() or ctypes.PyDLL(None).fork(); child or ctypes.pythonapi.PyOS_AfterFork_Child()"


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')", reason="this system cannot fork")
@pytest.mark.parametrize("fork", ["os.fork()", pytest.param(BY_C, marks=NEEDS_GIL)], ids=["by Python", "by C code"])
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(fork: str) -> None:
    assert output_of("import _imp, ctypes\n" + FORK_WHILE_PLANNING.format(fork=fork)) == "42 42"
