"""The ladder: one network in ever faster ways, from the reference to all cores, each checked, then timed.

    pytest bench/bench_networks.py
    pytest bench/bench_networks.py --benchmark-json=ladder.json

`cnnfast bench MODEL` climbs the same rungs for a network of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from networks import BENCHES
from rows import NAIVE, NUMPY, Row, Table

from cnnfast import get_num_threads
from cnnfast.graph.passes import PASSES, fuse
from cnnfast.plan import Plan, make_plan
from cnnfast.report.ladder import DIRECT, FEW, Subject
from cnnfast.runtime.dispatch import kernels

UNFUSED = [simplify for simplify in PASSES if simplify is not fuse]

RUNGS: dict[str, dict | None] = {
    f"{NUMPY}, float64": None,
    NAIVE: {"layout": "nchw"},
    "lanes, direct": {"passes": UNFUSED, "algorithms": DIRECT},
    "lanes, direct, fused": {"algorithms": DIRECT},
    "Winograd": {"passes": UNFUSED},
    "Winograd, fused": {},
    "all cores": {},
}
"""How each rung is planned; each does one thing more than the one before, or another."""

BATCH = 256

NETWORKS = ("n1", "n2", "n3", "n4", "n5", "n7")


@pytest.fixture(scope="module", params=NETWORKS)
def subject(request: pytest.FixtureRequest) -> tuple[str, Subject]:
    bench = BENCHES[request.param]
    return f"{bench.id} {bench.title}", Subject.of(bench.network(), BATCH)


@pytest.mark.benchmark(max_time=1.0, min_rounds=3)
@pytest.mark.parametrize("rung", RUNGS)
def test_rung(subject: tuple[str, Subject], rung: str, benchmark, table: Table) -> None:
    name, network = subject
    benchmark.group = name
    compute, images, threads = way(network, rung)
    difference = network.check(rung, compute())
    benchmark(compute)
    if benchmark.stats is None:  # --benchmark-disable: checked, not timed
        return
    stats = benchmark.stats.stats
    best, median = stats.min / images, stats.median / images
    row = Row(name, rung, kernels.active_isa(), best, median, best, network.flops, threads)
    benchmark.extra_info.update(table.add(row), threads=threads, difference=difference)


def way(network: Subject, rung: str) -> tuple[Callable[[], np.ndarray], int, int]:
    """Return what to run for a rung, on how many images and threads."""
    options = RUNGS[rung]
    if options is None:
        return network.reference, FEW, 1
    plan: Plan = make_plan(network.graph, **options)
    images = FEW if plan.layout == "nchw" else BATCH
    threads = get_num_threads() if rung == "all cores" else 1
    return partial(network.run, plan, images, threads), images, threads
