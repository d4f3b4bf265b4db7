"""How a batch is divided between groups and images alone: by the time it takes, never seen in a result."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.engines import execute
from kernels.test_networks import NETWORKS
from random_graphs import random_inputs

from cnnfast.plan import make_plan
from cnnfast.runtime.dispatch import kernels


def makespan(groups: int, alone: int, threads: int, cost: float) -> float:
    """Return when the last thread ends, if each takes the next group or image as soon as it is free."""
    free = [0.0] * threads
    for each in [1.0] * groups + [cost] * alone:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


@given(
    images=st.integers(1, 200),
    group=st.sampled_from([4, 8, 16]),
    threads=st.sampled_from([1, 2, 3, 8, 16]),
    cost=st.floats(0.02, 1.2),
)
def test_a_partition_takes_no_longer_than_any_other(images: int, group: int, threads: int, cost: float) -> None:
    groups, alone = kernels.partition_batch(images, group, threads, cost)
    assert groups * group + alone >= images
    assert alone == max(0, images - groups * group)
    least = min(makespan(g, max(0, images - g * group), threads, cost) for g in range(-(-images // group) + 1))
    # what threads do at the end of the last group is counted in whole images
    assert makespan(groups, alone, threads, cost) <= least + cost + 1e-9


@pytest.mark.parametrize(("images", "threads", "expected"), [(16, 1, (1, 0)), (16, 2, (0, 16)), (32, 2, (2, 0))])
def test_threads_are_not_idle_beside_one_group(images: int, threads: int, expected: tuple[int, int]) -> None:
    assert kernels.partition_batch(images, 16, threads, 1.1 / 16) == expected


def test_a_large_image_that_is_left_is_shared() -> None:
    # the third of three images on two threads: alone it would take as long as a fourth
    assert kernels.partition_batch(3, 16, 2, 0.6, 0) == (1, 0)
    assert kernels.partition_batch(3, 16, 2, 0.6, 1e9) == (0, 3)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("cost", [0.06, 0.093, 0.13])
def test_what_an_image_alone_costs_is_learned_from_calls_of_any_size(cost: float, threads: int) -> None:
    work = 1e9  # so large that threads share what is left at the end

    def duration(groups: int, alone: int) -> float:
        if groups:
            return makespan(groups, alone, threads, cost)
        last = alone % threads
        teams = threads // last if 0 < 2 * last <= threads else 1
        return cost * (alone // threads + (1.25 / teams if teams > 1 else last > 0))

    for images in range(1, 65):
        learned = kernels.partition_batches([*range(1, 65), images], 16, threads, 0.1, work, duration)
        assert learned == [kernels.partition_batch(images, 16, threads, cost, work)]


def test_a_slow_first_call_does_not_count() -> None:
    # of the first call of each kind, memory and caches are cold; all that follow are large batches
    calls = {"groups": 0, "alone": 0}

    def duration(groups: int, alone: int) -> float:
        kind = "groups" if groups else "alone"
        calls[kind] += 1
        return makespan(groups, alone, 1, 0.1) * (1000 if calls[kind] == 1 else 1)

    assert kernels.partition_batches([1] * 10 + [256] * 10, 16, 1, 0.1, 0, duration)[-1] == (16, 0)
    calls.clear()
    calls.update(groups=0, alone=0)
    assert kernels.partition_batches([256] * 10 + [1] * 10, 16, 1, 0.05, 0, duration)[-1] == (0, 1)


@pytest.mark.parametrize("disturbed", ["groups", "alone"])
def test_times_of_a_busy_machine_are_taken_again(disturbed: str) -> None:
    calls = {"groups": 0, "alone": 0}
    cost = 0.1 if disturbed == "groups" else 0.05

    def duration(groups: int, alone: int) -> float:
        kind = "groups" if groups else "alone"
        calls[kind] += 1
        return makespan(groups, alone, 1, cost) * (5 if kind == disturbed and calls[kind] <= 4 else 1)

    expected = (1, 0) if disturbed == "groups" else (0, 16)
    assert kernels.partition_batches([16] * 20, 16, 1, cost, 0, duration)[-1] != expected
    calls.update(groups=0, alone=0)
    assert kernels.partition_batches([16] * 1000, 16, 1, cost, 0, duration)[-1] == expected


def test_times_that_have_changed_are_forgotten() -> None:
    # one by one 16 images are faster at first, and later take twice as long as a group
    now = {"cost": 0.8 / 16}

    def duration(groups: int, alone: int) -> float:
        return makespan(groups, alone, 1, now["cost"])

    def batches() -> Iterator[int]:
        yield from [16] * 1000
        assert duration(0, 16) == pytest.approx(0.8)
        now["cost"] = 2 / 16
        yield from [16] * 2000

    assert kernels.partition_batches(batches(), 16, 1, 1 / 16, 0, duration)[-1] == (1, 0)


def test_times_of_one_number_of_threads_say_nothing_of_another() -> None:
    clock = Clock()
    clock.run(1, threads=1, times=9)
    assert clock.program.measured(1)[1] > 0
    assert clock.program.measured(2) == (0, 0)
    for threads in (2, 3) * 9:
        clock.run(8, threads=threads)
    assert min(clock.program.measured(threads)[1] for threads in (1, 2, 3)) > 0


@pytest.mark.parametrize("sizes", [(16,), (16, 32), (32, 16)])
def test_a_look_that_matters_is_not_lost_among_calls_of_other_sizes(sizes: tuple[int, ...]) -> None:
    calls = {"groups": 0, "alone": 0}

    def duration(groups: int, alone: int) -> float:
        kind = "groups" if groups else "alone"
        calls[kind] += 1
        return makespan(groups, alone, 1, 0.05) * (5 if kind == "alone" and calls[kind] <= 4 else 1)

    assert kernels.partition_batches([*sizes * 3000, 16], 16, 1, 0.05, 0, duration)[-1] == (0, 16)


@pytest.mark.parametrize(("slower", "expected"), [(0.6, 4), (0.94, 4), (0.96, 1), (3.0, 1)])
def test_an_image_is_shared_where_that_is_faster(slower: float, expected: int) -> None:
    shares = kernels.share_images(1600, 4, 1e9, lambda call, threads: slower if threads > 1 else 1.0)
    assert shares[:16] == [4] * 8 + [1] * 8
    assert [call for call, found in enumerate(shares) if call >= 16 and found != expected] == [
        15 + 500 * turn + look for turn in (1, 2, 3) for look in range(3)
    ]


def test_an_image_is_no_longer_shared_once_another_process_has_come() -> None:
    shares = kernels.share_images(
        4000, 2, 1e9, lambda call, threads: (0.6 if call < 1000 else 2.0) if threads > 1 else 1.0
    )
    assert set(shares[20:500]) == {2}
    assert shares[3050:3500] == [1] * 450


def test_an_image_is_shared_again_once_other_processes_have_ended() -> None:
    shares = kernels.share_images(
        1600, 2, 1e9, lambda call, threads: (2.0 if call < 400 else 0.6) if threads > 1 else 1.0
    )
    assert set(shares[20:400]) == {1}
    assert shares[550:1000] == [2] * 450


def test_a_small_image_is_never_shared() -> None:
    assert kernels.share_images(3, 8, 1000, lambda call, threads: 1.0) == [1, 1, 1]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("name", ["cs61c", "resnet"])
def test_every_partition_gives_the_same_bits(name: str, threads: int) -> None:
    plan = make_plan(NETWORKS[name]())
    images = 2 * plan.group + 3
    (feed,) = random_inputs(plan.graph, np.random.default_rng(1), images).values()
    expected = execute(plan, [feed])[0]
    for groups in range(4):
        result = np.full_like(expected, np.nan)
        plan.program_for_any_batch.run([feed], [result], threads, groups=groups)
        np.testing.assert_array_equal(result, expected)
    with pytest.raises(ValueError, match="cannot run as 4 groups"):
        plan.program_for_any_batch.run([feed], [result], threads, groups=4)


PACKING = 0.05
"""The seconds that packing takes at least: many times as long as any of these batches."""


class Clock:
    """A network whose small-batch program is made when it pays; counts how often each kind of weights is packed."""

    def __init__(self, estimate: float | None = None, work: float | None = None) -> None:
        self.estimate, self.work = estimate, work
        self.plan = make_plan(NETWORKS["cs61c"]())
        self.packed: list[str] = []
        self.program = self.plan.program_with(self._small_batch, steps=self._steps)

    def _steps(self) -> list[object]:
        self.packed.append("groups")
        time.sleep(PACKING)
        return self.plan.packed_steps()

    def _small_batch(self) -> object:
        assert self.plan.small_batch is not None
        made = self.plan.small_batch_program(self._small_batch_steps)
        assert made is not None
        program = self.plan.small_batch.program_with(work=self.work, steps=self._small_batch_steps)
        return program, self.estimate or made[1]

    def _small_batch_steps(self) -> list[object]:
        self.packed.append("alone")
        time.sleep(PACKING)
        assert self.plan.small_batch is not None
        return self.plan.small_batch.packed_steps()

    def run(self, images: int, threads: int = 1, times: int = 1) -> list[str]:
        """Return what has been packed until then."""
        (feed,) = random_inputs(self.plan.graph, np.random.default_rng(1), images).values()
        result = np.empty((images, 10), np.float32)
        for _ in range(times):
            self.program.run([feed], [result], threads)
        return self.packed


def test_weights_are_packed_for_what_runs() -> None:
    assert Clock().run(1, times=100) == ["alone"]
    assert Clock().run(64) == ["groups"]


@pytest.mark.parametrize("images", [1, 64])
def test_packing_is_no_part_of_what_a_call_is_said_to_take(images: int) -> None:
    clock = Clock()
    kind = 1 if images == 1 else 0
    clock.run(images)
    assert clock.program.measured(1) == (0, 0)
    clock.run(images, times=20)
    assert 0 < clock.program.measured(1)[kind] < PACKING
    assert clock.program.measured(1)[1 - kind] == 0


@pytest.mark.parametrize(("first", "later"), [(1, 64), (64, 1)])
def test_a_second_program_is_timed_without_packing(first: int, later: int) -> None:
    clock = Clock()
    clock.run(first, times=20)
    clock.run(later, times=3000)
    assert sorted(clock.packed) == ["alone", "groups"]
    assert 0 < min(clock.program.measured(1)) <= max(clock.program.measured(1)) < PACKING


def test_images_alone_are_timed_also_where_threads_share_the_last() -> None:
    clock = Clock(work=1e9)
    clock.run(1, threads=2)
    # of 2 groups and 1 image, threads would always share the last
    clock.run(2 * clock.plan.group + 1, threads=2, times=3)
    assert clock.program.measured(2)[1] > 0


def test_one_batch_does_not_pack_a_second_time() -> None:
    clock = Clock()
    clock.run(1, times=3)
    assert clock.run(clock.plan.group // 3) == ["alone"]


def test_a_compiled_function_learns_too() -> None:
    # by the estimate half a group is a little faster one by one
    clock = Clock(estimate=1.8 / make_plan(NETWORKS["cs61c"]()).group)
    images = clock.plan.group // 2
    ((_, shape),) = clock.plan.graph.inputs.items()
    entry = kernels.Entry(
        clock.program, shape, (10,), None, None, images, np.ndarray, partial(np.empty, dtype=np.float32)
    )
    batch = np.zeros((images, *shape), np.float32)
    until = time.monotonic() + 60
    while clock.packed != ["alone", "groups"] and time.monotonic() < until:
        assert entry.run(batch, "nchw", 0, 1, None) is not None
    assert clock.packed == ["alone", "groups"]


def test_weights_are_packed_again_once_it_would_have_paid() -> None:
    clock = Clock()
    batch = clock.plan.group
    clock.run(4 * batch)
    # one thread does all of a group while the other has none: not worth the time of packing for a few calls
    assert clock.run(batch, threads=2, times=5) == ["groups"]
    assert clock.run(batch, threads=2, times=2000) == ["groups", "alone"]


def test_an_estimate_that_may_be_too_high_is_found_out() -> None:
    # by the estimate no image alone is worth it, but were it two fifths lower all of them would be
    clock = Clock(estimate=1.1 / make_plan(NETWORKS["cs61c"]()).group)
    assert clock.run(4 * clock.plan.group, times=500) == ["groups", "alone"]
