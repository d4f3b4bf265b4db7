"""Kernels of integers: equal to the reference on every instruction set, whatever multiplies the bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from integer_cases import INTEGER_CASES, REAL_LAYERS, IntegerCase
from kernels.engines import execute, integer_engines, multiplying, using
from kernels.test_small_batch import Large
from random_graphs import random_graph, random_inputs, seeds

from cnnfast import Network
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, evaluate, optimize
from cnnfast.graph.integers import FLOAT_PASSES, grid_of_range, to_integers
from cnnfast.plan import Plan, make_plan
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.cost import total_work
from cnnfast.plan.matrix_tiles import MATRIX
from cnnfast.runtime.dispatch import kernels


def run(graph: Graph, feed: dict[str, np.ndarray], isa: str, dot: str, threads: int = 1) -> np.ndarray:
    """Return the output of a graph."""
    with multiplying(isa, dot):
        plan = make_plan(graph)
        (result,) = execute(plan, [feed[name] for name in plan.graph.inputs], threads)
    return result


def plan_or_reject(graph: Graph, layout: str) -> Plan:
    """Return the plan of a random graph; those without kernels for channels in the lanes are left out."""
    try:
        return make_plan(graph, layout)
    except UnsupportedError:
        assume(layout == "chwn")
        raise


def expected(case: IntegerCase, feed: dict[str, np.ndarray]) -> np.ndarray:
    """Return what the reference says."""
    result = evaluate(case.graph(), feed)["out"]
    return result.reshape(len(result), -1).astype(np.float32)


@pytest.mark.parametrize(("isa", "dot"), list(integer_engines()))
@pytest.mark.parametrize("case", INTEGER_CASES, ids=str)
def test_equals_the_reference(case: IntegerCase, isa: str, dot: str) -> None:
    with using(f"chwn-{isa}"):
        lanes = kernels.lanes()
    feed = case.feed(3 * lanes + 1)
    want = expected(case, feed)
    assert len(np.unique(want)) > 8, f"{case} says little: hardly any of its results differ"
    for images in sorted({1, lanes - 1, lanes, lanes + 1, 3 * lanes + 1}):
        result = run(case.graph(), {name: array[:images] for name, array in feed.items()}, isa, dot)
        if case.id in ("flattened", "flattened-blocks"):
            # a softmax of floats behind the integers
            np.testing.assert_allclose(result, want[:images], rtol=1e-5, atol=1e-7)
        else:
            np.testing.assert_array_equal(result, want[:images])


@pytest.mark.parametrize("case", INTEGER_CASES, ids=str)
def test_equal_bits_at_any_place_and_with_any_threads(case: IntegerCase) -> None:
    isa, dot = list(integer_engines())[-1]
    images = 2 * 16 + 3
    feed = case.feed(images)
    whole = run(case.graph(), feed, isa, dot)
    for threads in (2, 3):
        np.testing.assert_array_equal(run(case.graph(), feed, isa, dot, threads), whole)
    for first, last in ((0, 1), (1, 18), (16, images), (34, 35)):
        part = run(case.graph(), {name: array[first:last] for name, array in feed.items()}, isa, dot)
        np.testing.assert_array_equal(part, whole[first:last])


@pytest.mark.parametrize(("isa", "dot"), list(integer_engines()))
@pytest.mark.parametrize("case", INTEGER_CASES, ids=str)
def test_few_images_equal_the_reference(case: IntegerCase, isa: str, dot: str) -> None:
    """Channels in the lanes, by one thread and by several that share each image."""
    feed = case.feed(3)
    want = expected(case, feed)
    with multiplying(isa, dot):
        plan = make_plan(case.graph(), "nchwc")
        for images in (1, 2, 3):
            few = [feed[name][:images] for name in plan.graph.inputs]
            results = [execute(plan, few)[0], *(execute(Large(plan), few, threads)[0] for threads in (2, 3, 6))]  # type: ignore[arg-type]
            for result in results:
                np.testing.assert_array_equal(result, results[0])
            if case.id in ("flattened", "flattened-blocks"):
                np.testing.assert_allclose(results[0], want[:images], rtol=1e-5, atol=1e-7)
            else:
                np.testing.assert_array_equal(results[0], want[:images])


@pytest.mark.parametrize("case", INTEGER_CASES, ids=str)
def test_few_images_have_the_bits_of_a_batch(case: IntegerCase) -> None:
    isa, dot = list(integer_engines())[-1]
    feed = case.feed(5)
    with multiplying(isa, dot):
        plan = make_plan(case.graph())
        names = list(plan.graph.inputs)
        (whole,) = execute(plan, [feed[name] for name in names])
        (alone,) = execute(make_plan(case.graph(), "nchwc"), [feed[name] for name in names])
    np.testing.assert_array_equal(alone, whole)


@pytest.mark.parametrize("isa", kernels.supported_isas())
@pytest.mark.parametrize("case", [c for c in INTEGER_CASES if c.id.startswith(("conv", "linear", "residual"))], ids=str)
def test_what_is_planned_for_matrix_tiles_runs_without_them(case: IntegerCase, isa: str) -> None:
    with multiplying(isa, "widening"):
        feed = case.feed(kernels.lanes() + 1)
        plan = make_plan(case.graph(), algorithms=(*ALGORITHMS, MATRIX))
        matrix = [step.kernel for step in plan.steps if step.kernel.endswith("_matrix")]
        assert matrix or any(word in case.id for word in ("groups", "multiplied", "depthwise", "stride"))
        (result,) = execute(plan, [feed[name] for name in plan.graph.inputs])
    np.testing.assert_array_equal(result, expected(case, feed))


@pytest.mark.parametrize("case", [c for c in REAL_LAYERS if c.id.startswith(("conv", "linear"))], ids=str)
def test_real_layers_are_equal_however_bytes_are_multiplied(case: IntegerCase) -> None:
    isa = kernels.supported_isas()[-1]
    with using(f"chwn-{isa}"):
        dots = kernels.dot_products()
        feed = case.feed(kernels.lanes() + 1)
    first, *others = (run(case.graph(), feed, isa, dot) for dot in dots)
    assert len(np.unique(first)) > 8
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("layout", ["chwn", "nchwc"])
@settings(max_examples=40)
@given(seed=seeds())
def test_random_networks(layout: str, seed: int) -> None:
    """What is rounded behind a kernel of floats may differ by a step; everything else is equal."""
    numbers = np.random.default_rng(seed)
    graph = optimize(random_graph(numbers, any_rank=bool(numbers.random() < 0.5)), FLOAT_PASSES)
    feed = {name: array.astype(np.float32) for name, array in random_inputs(graph, numbers, images=5).items()}
    values = evaluate(graph, feed)
    grids = {name: grid_of_range(v.min(), v.max()) for name, v in values.items() if np.isfinite(v).all()}
    integers = to_integers(graph, grids).graph
    plan = plan_or_reject(integers, layout)
    wanted = evaluate(integers, feed)
    for name, result in zip(integers.outputs, execute(plan, [feed[v] for v in plan.graph.inputs]), strict=True):
        want = np.broadcast_to(wanted[name], (5, *wanted[name].shape[1:])).reshape(5, -1)
        np.testing.assert_allclose(result, want, rtol=0, atol=0.02 * np.abs(want).max() + 1e-30)


@pytest.mark.parametrize(("isa", "dot"), list(integer_engines()))
def test_few_images_of_a_shipped_network_have_kernels_and_a_cost(isa: str, dot: str) -> None:
    with multiplying(isa, dot):
        network = Network.load("cifar10-cs61c-int8")
        plan = make_plan(network.graph)
        assert plan.small_batch is not None
        cost = total_work(plan.small_batch.steps) / total_work(plan.steps)
        assert 1 / plan.group < cost < 1
        assert "conv2d_u8_nchwc_direct" in network.explain(small_batch=True)
        pictures = np.random.default_rng(0).integers(0, 256, (plan.group, 32, 32, 3), np.uint8)
        whole = network.forward(pictures)
        for images in range(1, plan.group):
            np.testing.assert_array_equal(network.forward(pictures[:images]), whole[:images])


def test_products_that_leave_32_bits_are_limited_first() -> None:
    """A unit far larger than the scale of the result: floats up to 1e12, which no conversion to 32 bits holds."""
    (case,) = (case for case in INTEGER_CASES if case.id == "conv-3x3")
    graph = case.graph()
    wide = graph.constants["u"] * np.float32(1e9)
    graph = Graph(graph.inputs, graph.nodes, {**graph.constants, "u": wide}, graph.outputs)
    feed = case.feed(5)
    want = evaluate(graph, feed)["out"].reshape(5, -1)
    assert set(np.unique(want)) >= {want.min(), want.max()}
    for isa, dot in integer_engines():
        np.testing.assert_array_equal(run(graph, feed, isa, dot), want)


def test_an_unknown_dot_product() -> None:
    with pytest.raises(ValueError, match="'gpu' is not one of widening"):
        kernels.select_dot_product("gpu")


def test_the_peak_is_measured() -> None:
    assert kernels.dot_peak(1000) > 0
    assert kernels.active_dot_product() in kernels.dot_products()
