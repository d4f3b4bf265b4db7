"""A build without OpenMP computes with one thread, and says so to everyone who asks for more."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import Network, set_num_threads, show_config, threads
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import WITHOUT_OPENMP, decide, of_call


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    """What such a build answers; tools/portable.sh runs these tests with one that really has no OpenMP."""
    monkeypatch.setattr(kernels, "has_openmp", lambda: False)


def test_who_asks_for_threads_is_told() -> None:
    with pytest.warns(RuntimeWarning, match="^3 threads: this build of cnnfast, which has no OpenMP, computes with 1$"):
        assert of_call(3) == 1
    with threads(2), pytest.warns(RuntimeWarning, match="2 threads"):
        assert of_call() == 1
    assert decide(3) == (1, WITHOUT_OPENMP)


def test_who_does_not_ask_is_not_warned() -> None:
    assert of_call() == of_call(1) == 1
    with threads(1):
        assert decide() == (1, "with cnnfast.threads(n)")


def test_a_number_that_cannot_be_one_is_refused_all_the_same() -> None:
    with pytest.raises(ValueError, match="from 1 to 4096"):
        set_num_threads(0)


def test_the_results_are_those_of_one_thread() -> None:
    net = Network.load("cifar10-cs61c")
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    with pytest.warns(RuntimeWarning, match="4 threads"):
        several = net.predict_proba(images, threads=4)
    np.testing.assert_array_equal(several, net.predict_proba(images, threads=1))


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show_config()
    assert ", without OpenMP: one thread" in capsys.readouterr().out
