"""Few images: whatever way they go, and however many threads share the work for one, the bits are those of a batch."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case
from hypothesis import given, settings
from kernels.engines import FUSED, execute, plan_of, using
from kernels.test_networks import NETWORKS, equal, wide_block
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast.graph import Graph
from cnnfast.ops import LayerNorm, Relu
from cnnfast.plan import Plan, make_plan
from cnnfast.plan.cost import total_work
from cnnfast.runtime.dispatch import kernels

ISAS = kernels.supported_isas()


class Large:
    """A plan whose program shares the work for one image between threads, as if it were large."""

    def __init__(self, plan: Plan) -> None:
        self.graph, self.shapes = plan.graph, plan.shapes
        self.program = plan.program_with(work=1e12)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_threads_that_share_an_image_change_no_bit(case: Case, isa: str) -> None:
    feed = list(case.feed(images=1).values())
    with using(f"nchwc-{isa}") as layout:
        plan = plan_of(case.graph(), layout)
        alone = execute(plan, feed)
        for threads in (2, 3):
            equal(execute(Large(plan), feed, threads), alone, slice(None), f"{threads} threads")  # type: ignore[arg-type]


@pytest.mark.parametrize(("images", "threads"), [(2, 4), (2, 5), (3, 7), (5, 2), (9, 4)])
def test_the_last_images_are_computed_by_teams(images: int, threads: int) -> None:
    plan = make_plan(NETWORKS["cs61c"](), "nchwc")
    feed = list(random_inputs(plan.graph, np.random.default_rng(0), images).values())
    equal(execute(Large(plan), feed, threads), execute(plan, feed), slice(None))  # type: ignore[arg-type]


@settings(max_examples=15)
@given(seed=seeds())
def test_threads_share_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng) if rng.random() < 0.5 else wide_block(rng)
    feed = list(random_inputs(graph, rng, images=1).values())
    plan = make_plan(graph, "nchwc")
    alone = execute(plan, feed)
    for threads in (2, 3, 5):
        equal(execute(Large(plan), feed, threads), alone, slice(None), f"{threads} threads")  # type: ignore[arg-type]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_small_batch_has_the_bits_of_a_large_one(name: str, isa: str) -> None:
    graph = NETWORKS[name]()
    with using(f"chwn-{isa}"):
        plan = make_plan(graph)
        images = 2 * plan.group + 1
        (feed,) = random_inputs(graph, np.random.default_rng(1), images).values()
        whole = execute(plan, [feed])
        for size in range(1, images + 1):
            for threads in (1, 2, 3):
                result = np.full((size, whole[0].shape[1]), np.nan, np.float32)
                plan.program_for_any_batch.run([feed[:size]], [result], threads)
                equal([result], whole, slice(size), f"{size} images, {threads} threads")


@pytest.mark.parametrize("name", ["n1", "n2", "n3", "n5", pytest.param("n7", marks=pytest.mark.slow)])
def test_a_picture_alone_has_the_bits_of_the_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "bench")
    bench = importlib.import_module("networks").BENCHES[name]
    network, pictures = bench.network(), bench.pictures(18)
    whole = network.forward(pictures)
    for size in (1, 2, 5, 17):
        np.testing.assert_array_equal(network.forward(pictures[:size]), whole[:size])
    values = network.preprocess(pictures[:2]) if network.preprocess else pictures[:2]
    np.testing.assert_array_equal(
        network.forward(values[:1], layout="nchw"), network.forward(np.repeat(values, 16, axis=0), layout="nchw")[:1]
    )


def test_a_graph_without_kernels_for_few_images_runs_as_a_group() -> None:
    graph = net(("n", LayerNorm((1,)), "x"), ("y", Relu(), "n"), x=(8, 4, 4))
    plan = make_plan(graph)
    assert plan.small_batch is None
    (feed,) = random_inputs(graph, np.random.default_rng(0), 3).values()
    result = np.empty((3, 128), np.float32)
    plan.program_for_any_batch.run([feed], [result], 1)
    equal([result], execute(plan, [feed]), slice(None))


@pytest.mark.parametrize("name", ["cs61c", "resnet"])
def test_the_way_follows_from_the_cost(name: str) -> None:
    plan = make_plan(NETWORKS[name]())
    assert plan.small_batch is not None
    assert plan.small_batch.group == 1
    cost = total_work(plan.small_batch.steps) / total_work(plan.steps)
    assert cost < 1
    # A group of this residual network fills up tiles, so a share of it costs more than an image alone in short vectors.
    if name != "resnet" or plan.group == 16:
        assert cost > 1 / plan.group


def test_guarded_weights_when_threads_share() -> None:
    """Parts of a step together touch what the whole step touches."""
    from kernels.guarded import guarded_plan

    if not FUSED:
        pytest.skip("this CPU has no fused multiply-add")
    with using(f"nchwc-{FUSED[-1]}"):
        graph: Graph = NETWORKS["cs61c"]()
        (feed,) = random_inputs(graph, np.random.default_rng(0), 1).values()
        plan = make_plan(graph, "nchwc")
        expected = execute(plan, [feed])
        equal(execute(Large(replace(guarded_plan(plan))), [feed], 2), expected, slice(None))  # type: ignore[arg-type]
