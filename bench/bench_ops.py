"""Every op in every way this machine can run it, naive first: each result is checked, then timed.

    pytest bench/bench_ops.py
    pytest bench/bench_ops.py -k "cs61c and conv2d"
    pytest bench/bench_ops.py -k "naive or avx2" --benchmark-autosave
    pytest bench/bench_ops.py -k "naive or avx2" --benchmark-compare

The shapes are those that ``tests/cases.py`` tags with "bench", and the largest shape of every op that has no such tag.
All ways of a case get the same images, so that pytest-benchmark's table of the case compares like with like.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
import pytest
from bounds import assert_close
from cases import CASES, Case
from kernels.engines import ENGINES, plan_of, using
from rows import NAIVE, NUMPY, Row, Table

from cnnfast.plan import Plan
from cnnfast.runtime.dispatch import kernels

pytestmark = pytest.mark.benchmark(max_time=0.1, min_rounds=3)

WORK = 30e6
"""Operations of a call: enough that the call itself costs nothing to speak of, and little enough for naive loops."""

FEWEST, MOST = 16, 1024
"""Images of a call, and their number is a power of two: they fill the lanes of any instruction set."""

ROUNDS = 20

WAYS = {NAIVE: "nchw", NUMPY: None} | {engine: engine for engine in ENGINES if engine != "nchw"}


def bench_cases() -> list[Case]:
    """Return the cases to time: those with the tag, and the largest one of each op that has none with it."""
    tagged = [case for case in CASES if "bench" in case.tags]
    largest: dict[str, Case] = {}
    for case in CASES:
        if case.op.name not in {case.op.name for case in tagged}:
            largest[case.op.name] = max(largest.get(case.op.name, case), case, key=work)
    return [*tagged, *largest.values()]


def work(case: Case) -> int:
    """Return the floating-point operations of an image, convolutions counted as direct; elements count as well."""
    return max(case.op.cost(*case.inputs, *case.parameters).flops, sum(map(prod, [*case.inputs, case.output_shape])))


def images_of(case: Case) -> int:
    """Return how many images a call gets."""
    return int(np.clip(2 ** round(np.log2(WORK / work(case))), FEWEST, MOST))


@pytest.fixture
def plan(case: Case, way: str) -> Plan | None:
    """The plan of a case; the test is skipped where a way has none, and None stands for NumPy."""
    engine = WAYS[way]
    if engine is None:
        return None
    with using(engine) as layout:
        return plan_of(case.graph(), layout)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", bench_cases(), ids=str)
def test_op(case: Case, way: str, plan: Plan | None, benchmark, table: Table) -> None:
    benchmark.group = case.id
    if plan is None:
        inputs, parameters = case.arrays(images=images_of(case))
        benchmark(case.op.reference, *inputs, *parameters)
        kernel = None
    else:
        with using(WAYS[way]):
            kernel = time_plan(case, plan, benchmark)
            isa = kernels.active_isa()
    if benchmark.stats is None:  # --benchmark-disable: checked, not timed
        return
    stats, images = benchmark.stats.stats, images_of(case)
    best, isa = stats.min / images, kernels.active_isa() if plan is None else isa
    flops = case.op.cost(*case.inputs, *case.parameters).flops
    row = Row(case.id, way, isa, best, stats.median / images, best if kernel is None else kernel, flops)
    steps = [] if plan is None else [step.kernel for step in plan.steps]
    benchmark.extra_info.update(table.add(row), images=images, kernels=steps)


def time_plan(case: Case, plan: Plan, benchmark) -> float:
    """Check the result of a plan, time it, and return the seconds of an image in its steps alone."""
    images = images_of(case)
    feed = [a.reshape(*a.shape, *(1,) * (4 - a.ndim)) for a in case.feed(images=images).values()]
    result = np.full((images, prod(case.output_shape)), np.nan, np.float32)
    plan.program.run(feed, [result], 1)
    assert_close(result.reshape(images, *case.output_shape), truth(case), case, plan.layout)
    benchmark(plan.program.run, feed, [result], 1)
    return seconds_of_kernels(plan, feed)


@lru_cache(maxsize=1)
def truth(case: Case) -> np.ndarray:
    """Return what NumPy makes of a case in float64."""
    return case.reference(images=images_of(case))


def seconds_of_kernels(plan: Plan, feed: list[np.ndarray]) -> float:
    """Return the time of an image in the steps alone, without the changes of layout at both ends."""
    group = [images[: plan.group] for images in feed]
    result = np.empty((plan.group, prod(plan.shapes[plan.graph.outputs[0]])), np.float32)
    _, *steps, _ = plan.program.profile(group, [result], ROUNDS)
    return sum(steps) / plan.group
