"""One network in many threads of Python, and many networks: the bits of one thread, and each is planned once."""

from __future__ import annotations

import pickle
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import photographs, small_net

from cnnfast import Network
from cnnfast.plan import plan as planning
from cnnfast.plan import programs

MANY = 12
BATCHES = (1, 40, 3, 17, 50, 2, 33)


@pytest.fixture(autouse=True)
def _threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(*work: Callable[[], object]) -> list[Any]:
    """Start all at the same moment, each in a thread; an error of one is an error here."""
    gate = threading.Barrier(len(work))

    def started(each: Callable[[], object]) -> object:
        gate.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as executor:
        return [made.result() for made in [executor.submit(started, each) for each in work]]


def untouched(net: Network) -> Network:
    """The same network, as if it had just been loaded: nothing is planned yet."""
    return net.by_value()


def test_a_network_is_planned_and_packed_once_however_many_begin_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    make_plan, packed_steps = programs.make_plan, planning.Plan.packed_steps

    def counted_plan(*given: Any) -> planning.Plan:
        calls["plans"] += 1
        return make_plan(*given)

    def counted_steps(plan: planning.Plan) -> list[Any]:
        calls[plan.layout] += 1
        return packed_steps(plan)

    net, images = untouched(small_net()), photographs(64)
    expected = small_net().predict_proba(images, threads=1)
    monkeypatch.setattr(programs, "make_plan", counted_plan)
    monkeypatch.setattr(planning.Plan, "packed_steps", counted_steps)
    results = together(*[lambda: net.predict_proba(images, threads=1)] * MANY)
    assert all(np.array_equal(result, expected) for result in results)
    assert calls["plans"] == calls["chwn"] == 1
    for result in together(*[lambda: net.compile(batch=1, threads=1)(images[:1])] * MANY):
        np.testing.assert_array_equal(result, expected[:1])
    # The plan was dropped, so it is made again, to say what an image alone may cost and when its weights are packed.
    assert calls["plans"] <= 3
    assert calls["chwn"] == 1
    assert calls["nchwc"] <= 1


def test_any_mixture_of_batches_has_the_bits_of_one_thread() -> None:
    images = photographs(50)
    expected = small_net().predict_proba(images, threads=1)
    for _ in range(15):
        net = untouched(small_net())

        def mixture(first: int, net: Network = net) -> bool:
            order = BATCHES[first % len(BATCHES) :] + BATCHES[: first % len(BATCHES)]
            threads = 1 + first % 2
            return all(np.array_equal(net.predict_proba(images[:n], threads=threads), expected[:n]) for n in order)

        assert all(together(*(lambda first=first: mixture(first) for first in range(MANY))))  # type: ignore[misc]


def test_threads_that_load_predict_classify_save_and_pickle_at_once(tmp_path: Path) -> None:
    nets = [small_net(), small_net(classes=["a", "b", "c", "d"])]
    images, shared = photographs(20), tmp_path / "shared.safetensors"
    expected = nets[0].predict_proba(images, threads=1)
    nets[0].save(shared)

    def right(net: Network) -> bool:
        return np.array_equal(net.predict_proba(images, threads=1), expected)

    def load_and_save() -> bool:
        for net in nets * 3:
            # all write the same file, which is at any time one of the two as a whole
            net.save(shared)
            if not right(Network.load(shared)):
                return False
        return True

    def compute() -> bool:
        return all(right(net) for net in nets * 5)

    def classify() -> bool:
        labels = [record["label"] for record in nets[0].classify(list(images))]
        streamed = [result.label for result in nets[0].stream(list(images))]
        return labels == streamed == list(nets[0].predict(images))

    def travel() -> bool:
        return all(right(pickle.loads(pickle.dumps(net))) for net in nets * 5)

    assert all(together(*[load_and_save, compute, classify, travel] * 2))
    assert [file.name for file in tmp_path.iterdir()] == [shared.name]


def test_shipped_networks_are_loaded_by_several_threads_at_once() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    names = ("cifar10-cs61c", "cifar10-lenet", "cifar10-cs61c-int8")
    expected = {name: Network.load(name).predict_proba(images, threads=1) for name in names}

    def one(name: str) -> bool:
        return np.array_equal(Network.load(name).predict_proba(images, threads=1), expected[name])

    assert all(together(*(lambda name=name: one(name) for name in names * 3)))  # type: ignore[misc]


def test_what_a_network_hands_out_cannot_change_it() -> None:
    net = small_net()
    with pytest.raises(ValueError, match="read-only"):
        net.classes_[0] = "unicorn"
    with pytest.raises(ValueError, match="read-only"):
        net.graph.constants["scores.bias"][0] = 1
