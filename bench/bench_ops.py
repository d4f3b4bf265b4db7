"""Every op in every way this machine can run it, naive first: each result is checked, then timed.

    pytest bench/bench_ops.py
    pytest bench/bench_ops.py -k "cs61c and conv2d"
    pytest bench/bench_ops.py -k "integer and vnni"
    pytest bench/bench_ops.py -k "naive or avx2" --benchmark-autosave
    pytest bench/bench_ops.py -k "naive or avx2" --benchmark-compare

The shapes are those that ``tests/cases.py`` tags with "bench", and the largest shape of every op that has no such tag.
Of integers they are the real layers of ``tests/integer_cases.py``, and the largest case of every op that none of them
has; results must equal the reference. All ways of a case get the same images, so that pytest-benchmark's table of the
case compares like with like.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
import pytest
from bounds import assert_close
from cases import CASES, Case
from integer_cases import INTEGER_CASES, REAL_LAYERS, IntegerCase
from kernels.engines import ENGINES, integer_engines, multiplying, plan_of, using
from rows import NAIVE, NUMPY, Row, Table

from cnnfast.graph import evaluate
from cnnfast.ops.quantized import QUANTIZED_OPS, IntegerConv2d, IntegerLinear
from cnnfast.plan import Plan, make_plan
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
    feed = [padded(array) for array in case.feed(images=images).values()]
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
    return sum(seconds_of_steps(plan, feed))


def seconds_of_steps(plan: Plan, feed: list[np.ndarray]) -> list[float]:
    """Return the time of an image in each step."""
    group = [images[: plan.group] for images in feed]
    result = np.empty((plan.group, prod(plan.shapes[plan.graph.outputs[0]])), np.float32)
    _, *steps, _ = plan.program.profile(group, [result], ROUNDS)
    return [seconds / plan.group for seconds in steps]


INTEGER_WAYS = {NUMPY: None} | {
    f"{layout}-{isa}-{dot}": (layout, isa, dot) for layout in ("chwn", "nchwc") for isa, dot in integer_engines()
}


def integer_bench_cases() -> list[IntegerCase]:
    """Return the graphs of integers to time: real layers, and the largest case of each op that is in none of them."""
    chosen = list(REAL_LAYERS)
    for op in QUANTIZED_OPS:
        if not any(op in names_of_ops(case) for case in chosen):
            chosen.append(max((case for case in INTEGER_CASES if op in names_of_ops(case)), key=integer_work))
    return chosen


def names_of_ops(case: IntegerCase) -> set[str]:
    """Return which ops the graph of a case has."""
    return {node.op.name for node in case.graph().nodes}


def integer_work(case: IntegerCase) -> int:
    """Return the operations of an image: those of its layers, or of all its nodes if it has none."""
    graph = case.graph()
    layers = [node for node in graph.nodes if isinstance(node.op, IntegerConv2d | IntegerLinear)]
    return sum(graph.cost(node).flops for node in layers or graph.nodes)


def integer_images_of(case: IntegerCase) -> int:
    """Return how many images a call gets; the reference takes its time, so they are at most 64."""
    return int(np.clip(2 ** round(np.log2(WORK / integer_work(case))), FEWEST, 64))


@pytest.mark.parametrize("way", INTEGER_WAYS)
@pytest.mark.parametrize("case", integer_bench_cases(), ids=str)
def test_integer_op(case: IntegerCase, way: str, benchmark, table: Table) -> None:
    benchmark.group = name = f"integer {case}"
    graph, images, engine = case.graph(), integer_images_of(case), INTEGER_WAYS[way]
    if engine is None:
        benchmark(evaluate, graph, case.feed(images))
        kernel, steps = None, []
    else:
        layout, *multiplier = engine
        with multiplying(*multiplier):
            plan = make_plan(graph, layout)
            kernel, steps = time_integers(case, plan, benchmark), [step.kernel for step in plan.steps]
    if benchmark.stats is None:  # --benchmark-disable: checked, not timed
        return
    stats, isa = benchmark.stats.stats, "-".join(engine[1:] if engine else list(integer_engines())[-1])
    best = stats.min / images
    row = Row(name, way, isa, best, stats.median / images, best if kernel is None else kernel, integer_work(case))
    benchmark.extra_info.update(table.add(row), images=images, kernels=steps)


def time_integers(case: IntegerCase, plan: Plan, benchmark) -> float:
    """Check that a plan equals the reference, time it, and return the seconds of an image between bytes and bytes."""
    feed = [padded(case.feed(integer_images_of(case))[name]) for name in plan.graph.inputs]
    expected = integer_truth(case)
    result = np.full(expected.shape, np.nan, np.float32)
    plan.program.run(feed, [result], 1)
    np.testing.assert_array_equal(result, expected)
    benchmark(plan.program.run, feed, [result], 1)
    ends = ("quantize_", "dequantize_")
    times = zip(plan.steps, seconds_of_steps(plan, feed), strict=True)
    return sum(seconds for step, seconds in times if not step.kernel.startswith(ends))


@lru_cache(maxsize=1)
def integer_truth(case: IntegerCase) -> np.ndarray:
    """Return what the reference makes of a case."""
    result = evaluate(case.graph(), case.feed(integer_images_of(case)))["out"]
    return result.reshape(len(result), -1).astype(np.float32)


def padded(array: np.ndarray) -> np.ndarray:
    """Return images of four axes."""
    return array.reshape(*array.shape, *(1,) * (4 - array.ndim))
