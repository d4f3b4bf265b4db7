"""Equalization leaves a network what it was, bias correction keeps means of sums, sensitivity finds the odd layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast import ops
from cnnfast.graph import Graph, Node, evaluate, optimize
from cnnfast.graph.integers import FLOAT_PASSES, grid_of_range, to_integers
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.bias import bias_corrected
from cnnfast.quantization.detour import Detour
from cnnfast.quantization.equalize import equalized
from cnnfast.quantization.sensitivity import decibels, sensitivities
from cnnfast.quantization.statistics import Distribution, distributions


def rng() -> np.random.Generator:
    return np.random.default_rng(34)


def uneven() -> Graph:
    """Return a depthwise network whose channels have very different ranges."""
    factors = np.exp(rng().normal(size=8) * 2)
    wide = rng().normal(size=(8, 3, 1, 1)) * factors[:, None, None, None]
    back = rng().normal(size=(6, 8, 1, 1)) / factors[:, None, None]
    return net(
        ("wide", ops.Conv2d(), "x", "w", "b"),
        ("r1", ops.Relu(), "wide"),
        ("deep", ops.Conv2d(padding=1, groups=8), "r1", "d"),
        ("r2", ops.Relu(), "deep"),
        ("back", ops.Conv2d(), "r2", "v"),
        w=wide,
        b=rng().normal(size=8) * factors,
        d=(8, 1, 3, 3),
        v=back,
    )


def images(count: int = 12) -> Array:
    return rng().normal(size=(count, 3, 8, 8)).astype(np.float32)


def computed(graph: Graph) -> list[str]:
    return [v for v in graph.shapes if v not in graph.constants]


@settings(max_examples=40)
@given(seed=seeds())
def test_an_equalized_network_computes_the_same(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    graph = optimize(random_graph(numbers), FLOAT_PASSES)
    inputs = random_inputs(graph, numbers)
    values = evaluate(graph, inputs)
    found = {
        name: Distribution(
            0, 1, np.zeros(1), np.zeros(1), np.abs(np.moveaxis(v, 1, 0)).reshape(v.shape[1], -1).max(axis=1)
        )
        for name, v in values.items()
        if v.ndim > 1
    }
    after = evaluate(equalized(graph, found), inputs)
    for name in graph.outputs:
        scale = max(1.0, np.abs(values[name]).max())
        np.testing.assert_allclose(after[name], values[name], rtol=0, atol=1e-8 * scale)


def test_equalization_makes_uneven_channels_even_and_bytes_better() -> None:
    graph, x = uneven(), images()
    before = distributions(graph, x, computed(graph))
    even = equalized(graph, before)
    after = distributions(even, x, computed(even))
    for value in ("r1", "r2"):
        assert np.log(after[value].peak).std() < np.log(before[value].peak).std() / 1.5
    errors = []
    for which, found in ((graph, before), (even, after)):
        grids = {name: grid_of_range(d.low, d.high) for name, d in found.items()}
        result = evaluate(to_integers(which, grids).graph, x)["back"]
        errors.append(np.square(result - evaluate(graph, x)["back"]).mean())
    assert errors[1] < errors[0] / 3


def test_equalization_stops_where_a_factor_does_not_pass() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("r", ops.Gelu(), "a"),
        ("b", ops.Conv2d(), "r", "v"),
        ("c", ops.Conv2d(), "b", "v"),
        ("y", ops.Add(), "c", "b"),
        w=(4, 3, 1, 1),
        v=(4, 4, 1, 1),
    )
    found = distributions(graph, images(), computed(graph))
    assert equalized(graph, found).nodes == graph.nodes


def clipped() -> Graph:
    """Return the same with ReLU6 and channels that get very differently far, two of them to the 6."""
    graph = uneven()
    tame = dict(graph.constants)
    wanted = np.where(np.arange(8) < 2, 10, np.exp(rng().uniform(-3, 1.5, 8)))
    for layer, value in (("wide", "r1"), ("deep", "r2")):
        values = evaluate(_with(graph, tame), images())[value]
        factor = wanted / np.abs(np.moveaxis(values, 1, 0)).reshape(8, -1).max(axis=1)
        for name in graph.by_name[layer].inputs[1:]:
            tame[name] = tame[name] * factor.reshape(-1, *(1,) * (tame[name].ndim - 1))
    tame["v"] = rng().normal(size=(6, 8, 1, 1)) / wanted[:, None, None]
    return _with(graph, tame, {"r1": ops.Clip(0.0, 6.0), "r2": ops.Clip(0.0, 6.0)})


def _with(graph: Graph, constants: Mapping[str, Array], swapped: Mapping[str, ops.Op] | None = None) -> Graph:
    nodes = tuple(Node(n.name, (swapped or {}).get(n.name, n.op), n.inputs) for n in graph.nodes)
    return Graph(graph.inputs, nodes, constants, graph.outputs)


def test_a_relu6_lets_factors_pass_that_leave_its_limit_alone() -> None:
    graph, x = clipped(), images()
    before = distributions(graph, x, computed(graph))
    even = equalized(graph, before)
    after = distributions(even, x, computed(even))
    for value in ("r1", "r2"):
        assert (before[value].peak == 6).sum() == 2, "the case must have channels at the limit"
        np.testing.assert_array_equal(after[value].peak == 6, before[value].peak == 6)
        assert np.log(after[value].peak).std() < np.log(before[value].peak).std() / 2
    values = [evaluate(which, x)["back"] for which in (graph, even)]
    np.testing.assert_allclose(values[1], values[0], rtol=0, atol=1e-8 * np.abs(values[0]).max())
    errors = []
    for which, found in ((graph, before), (even, after)):
        grids = {name: grid_of_range(d.low, d.high) for name, d in found.items()}
        errors.append(np.square(evaluate(to_integers(which, grids).graph, x)["back"] - values[0]).mean())
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("op", [ops.Clip(-1.0, 6.0), ops.Clip(0.5, 6.0), ops.Gelu(), ops.HardSwish()])
def test_what_does_not_pass_a_factor_is_left_alone(op: ops.Op) -> None:
    graph = _with(uneven(), uneven().constants, {"r1": op, "r2": op})
    assert equalized(graph, distributions(graph, images(), computed(graph))).nodes == graph.nodes


@pytest.mark.parametrize("groups", [1, 4])
def test_bias_correction_keeps_the_mean_of_each_sum(groups: int) -> None:
    weight = rng().normal(size=(8, 8 // groups, 1, 1)) ** 3
    graph = net(("y", ops.Conv2d(groups=groups), "x", "w"), x=(8, 8, 8), w=weight)
    x = (rng().normal(size=(10, 8, 8, 8)) + 3).astype(np.float32)
    errors = _mean_errors(graph, x, {"x": grid_of_range(x.min(), x.max())})
    assert errors[1] < errors[0] / 50


def test_biases_are_corrected_with_the_layers_before_corrected_already() -> None:
    graph = net(
        *(("a", ops.Conv2d(padding=1), "x", "w"), ("r", ops.Relu(), "a"), ("b", ops.Conv2d(padding=1), "r", "v")),
        *(
            ("s", ops.Add(), "b", "r"),
            ("t", ops.Relu(), "s"),
            ("m", ops.AvgPool(2), "t"),
            ("y", ops.Conv2d(), "m", "v"),
        ),
        w=(4, 3, 3, 3),
        v=(4, 4, 3, 3),
    )
    x = images(40)
    found = distributions(graph, x, computed(graph))
    # the upper third of each range is cut off, as no rounding of weights would do
    grids = {name: grid_of_range(d.low, d.high / 1.5) for name, d in found.items()}
    errors = _mean_errors(graph, x, grids)
    assert errors[1] < errors[0] / 50


def _mean_errors(graph: Graph, x: Array, grids: dict[str, Grid]) -> list[float]:
    """Return the largest error of the mean of a channel of the output, as it is and with corrected biases."""
    plain = to_integers(graph, grids)
    corrected = to_integers(bias_corrected(graph, plain, x), grids)
    wanted, *found = (evaluate(which, x)["y"].mean(axis=(0, 2, 3)) for which in (graph, plain.graph, corrected.graph))
    return [float(np.abs(mean - wanted).max()) for mean in found]


def test_bias_correction_leaves_layers_in_float_alone() -> None:
    graph = net(("y", ops.Conv2d(), "x", "w"), w=(4, 3, 1, 1))
    for grids, in_float in (({"x": grid_of_range(-1, 1)}, {"y": "asked for"}), ({}, {})):
        assert bias_corrected(graph, to_integers(graph, grids, in_float), images()).nodes == graph.nodes


def test_the_layer_with_an_odd_weight_is_the_most_sensitive() -> None:
    odd = rng().normal(size=(4, 4, 1, 1)).astype(np.float32)
    odd[:, 0] *= 300
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("b", ops.Conv2d(), "a", "odd"),
        ("c", ops.Conv2d(), "b", "v"),
        ("m", ops.GlobalAvgPool(keep_dims=False), "c"),
        x=(4, 8, 8),
        w=rng().normal(size=(4, 4, 1, 1)) * np.array([1e-4, 1, 1, 1])[:, None, None, None],
        odd=odd,
        v=(4, 4, 1, 1),
    )
    x = rng().normal(size=(60, 4, 8, 8)).astype(np.float32)
    grids = {name: grid_of_range(d.low, d.high) for name, d in distributions(graph, x, computed(graph)).items()}
    detour = Detour(graph, x)
    labels = detour.output.argmax(axis=1)
    rows = sensitivities(graph, grids, ["a", "b", "c"], detour, labels)
    assert rows[0].layer == "b"
    assert rows[0].accuracy == rows[0].agreement
    assert rows[0].signal_to_noise == min(row.signal_to_noise for row in rows)
    assert {row.layer for row in rows} == {"a", "b", "c"}
    assert all(row.accuracy is None for row in sensitivities(graph, grids, ["a"], detour))


def test_decibels() -> None:
    assert decibels(np.ones(4), np.ones(4) * 1.1) == pytest.approx(20)
    assert decibels(np.ones(4), np.ones(4)) == float("inf")
    assert decibels(np.zeros(4), np.ones(4)) == float("-inf")
