"""The ladder: one network in ever faster ways, from the reference to all cores, each checked, then timed.

And networks of integers next to the floats that they are made of, in turn.

    pytest bench/bench_networks.py
    pytest bench/bench_networks.py -k "integers and not n6"
    pytest bench/bench_networks.py --benchmark-json=ladder.json

`cnnfast bench MODEL` climbs the same rungs for a network of your own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import pytest
from integer_networks import check_exact, integer_network
from networks import BENCHES
from rows import FLOAT, NAIVE, NUMPY, Row, Table

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
    best, middle = stats.min / images, stats.median / images
    row = Row(name, rung, kernels.active_isa(), best, middle, best, network.flops, threads)
    benchmark.extra_info.update(table.add(row), threads=threads, difference=difference)


def way(network: Subject, rung: str) -> tuple[Callable[[], np.ndarray], int, int]:
    """Return what to run for a rung, on how many images and threads."""
    options = RUNGS[rung]
    if options is None:
        return network.reference, FEW, 1
    plan: Plan = make_plan(network.graph, **options)
    images = FEW if plan.layout == "nchw" else BATCH
    threads = get_num_threads() if rung == "all cores" else 1
    return partial(network.run, plan.program, images, threads), images, threads


INTEGERS = ("n1", "n2", "n3", "n4", "n5", "n6", "n7")

SECONDS = 3.0
"""How long a network runs in both forms together, at least three times."""


@pytest.mark.parametrize("id", INTEGERS)
def test_integers(id: str, benchmark, table: Table) -> None:
    """Before each run of the integers the floats run once: both meet the same minute of the machine."""
    bench, net = BENCHES[id], integer_network(id)
    floats, integers = Subject.of(bench.network(), BATCH), Subject.of(net, BATCH)
    plans = make_plan(floats.graph), make_plan(integers.graph)
    compute_floats, compute = (
        partial(floats.run, plans[0].program, BATCH, 1),
        partial(integers.run, plans[1].program, BATCH, 1),
    )
    floats.check(FLOAT, compute_floats())
    pictures = integers.images.transpose(0, 2, 3, 1)
    check_exact(net, pictures)
    np.testing.assert_array_equal(compute(), net.predict_proba(pictures, threads=1))
    times: list[float] = []

    def run_floats() -> None:
        times.append(seconds_of(compute_floats))

    benchmark.group = name = f"{bench.id} {bench.title}, integers"
    rounds = max(3, round(SECONDS / (seconds_of(compute_floats) + seconds_of(compute))))
    benchmark.pedantic(compute, setup=run_floats, rounds=rounds)
    if benchmark.stats is None:  # --benchmark-disable: checked, not timed
        return
    stats, isa = benchmark.stats.stats, kernels.active_isa()
    for way, dot, least, middle in (
        (FLOAT, isa, min(times), median(times)),
        ("integers", f"{isa}-{kernels.active_dot_product()}", stats.min, stats.median),
    ):
        row = Row(name, way, dot, least / BATCH, middle / BATCH, least / BATCH, floats.flops)
        facts = table.add(row)
    benchmark.extra_info.update(facts, float_median=median(times))


def seconds_of(compute: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    compute()
    return time.perf_counter() - start
