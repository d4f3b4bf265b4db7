"""Every op of real networks, in every way this machine can run it: each result is checked, then timed.

    pytest bench/bench_ops.py -k "cs61c and conv2d"

The shapes are those that ``tests/cases.py`` tags with "bench".
"""

from __future__ import annotations

import pytest
from bounds import assert_close
from cases import Case, cases_of
from kernels.engines import ENGINES, execute, using
from rows import NAIVE, Row, Table

from cnnfast._dispatch import kernels
from cnnfast.plan import Plan, make_plan

REFERENCE_IMAGES = 2
NAIVE_IMAGES = 4
IMAGES = 64
"""Slow ways get few images: a call of theirs costs nothing to speak of beside the work."""

SETTINGS = pytest.mark.benchmark(max_time=0.3, min_rounds=3)

CASES = cases_of(tag="bench")


@SETTINGS
@pytest.mark.parametrize("engine", ["reference", *ENGINES])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case: Case, engine: str, benchmark, table: Table) -> None:
    if engine == "reference":
        measure_reference(case, benchmark, table)
        return
    images = NAIVE_IMAGES if engine == "nchw" else IMAGES
    feed = list(case.feed(images=images).values())
    with using(engine) as layout:
        plan = make_plan(case.graph(), layout)
        (result,) = execute(plan, feed)
        assert_close(result.reshape(images, *case.output_shape), case.reference(images=images), case, layout)
        benchmark(execute, plan, feed)
        way, isa = NAIVE if layout == "nchw" else engine, kernels.active_isa()
        kernel = seconds_of_kernels(plan, feed) if len(feed) == 1 else benchmark.stats.stats.min / images
    stats = benchmark.stats.stats
    row = Row(case.id, way, isa, stats.min / images, stats.median / images, kernel, flops(case))
    benchmark.extra_info.update(table.add(row), kernels=[step.kernel for step in plan.steps])


def measure_reference(case: Case, benchmark, table: Table) -> None:
    """Time NumPy in float32."""
    inputs, parameters = case.arrays(images=REFERENCE_IMAGES)
    benchmark(case.op.reference, *inputs, *parameters)
    stats, images = benchmark.stats.stats, REFERENCE_IMAGES
    best = stats.min / images
    row = Row(case.id, "NumPy", kernels.active_isa(), best, stats.median / images, best, flops(case))
    benchmark.extra_info.update(table.add(row))


def seconds_of_kernels(plan: Plan, feed: list) -> float:
    """Return the time of an image in the steps alone, without the changes of layout at both ends."""
    group = feed[0][: plan.lanes]
    images = group.reshape(*group.shape, *(1,) * (4 - group.ndim))
    (result,) = execute(plan, [group])
    _, *steps, _ = plan.program.profile([images], [result], 20)
    return sum(steps) / len(group)


def flops(case: Case) -> int:
    """Return the floating-point operations of an image, convolutions counted as direct."""
    return case.op.cost(*case.inputs, *case.parameters).flops
