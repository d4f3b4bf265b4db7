"""Equalization leaves a network what it was, bias correction keeps means of sums, sensitivity finds the odd layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast import ops
from cnnfast.graph import Graph, evaluate, optimize
from cnnfast.graph.integers import FLOAT_PASSES, grid_of_range, integer_weights, to_integers
from cnnfast.ops.base import Array
from cnnfast.quantization.bias import bias_corrected
from cnnfast.quantization.equalize import equalized
from cnnfast.quantization.sensitivity import decibels, sensitivities
from cnnfast.quantization.statistics import Distribution, distributions
from cnnfast.quantization.values import Detour


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
        ("r", ops.Clip(), "a"),
        ("b", ops.Conv2d(), "r", "v"),
        ("c", ops.Conv2d(), "b", "v"),
        ("y", ops.Add(), "c", "b"),
        w=(4, 3, 1, 1),
        v=(4, 4, 1, 1),
    )
    found = distributions(graph, images(), computed(graph))
    assert equalized(graph, found).nodes == graph.nodes


@pytest.mark.parametrize("groups", [1, 4])
def test_bias_correction_keeps_the_mean_of_each_sum(groups: int) -> None:
    weight = rng().normal(size=(8, 8 // groups, 1, 1)) ** 3
    graph = net(("y", ops.Conv2d(groups=groups), "x", "w"), x=(8, 8, 8), w=weight)
    x = (rng().normal(size=(10, 8, 8, 8)) + 3).astype(np.float32)
    found = distributions(graph, x, ["x"])
    grids = {"x": grid_of_range(found["x"].low, found["x"].high)}
    # scales so coarse that the weights are far off
    rough = integer_weights(weight, None, grids["x"]).real(grids["x"].scale)
    corrected = bias_corrected(graph, grids, found)
    with_error = net(("y", ops.Conv2d(groups=groups), "x", "w"), x=(8, 8, 8), w=rough)
    bias = corrected.constants[corrected.nodes[0].inputs[2]]
    wanted = evaluate(graph, x)["y"].mean(axis=(0, 2, 3))
    before = evaluate(with_error, x)["y"].mean(axis=(0, 2, 3))
    assert np.abs(before + bias - wanted).max() < 1e-2 * np.abs(before - wanted).max()


def test_bias_correction_leaves_layers_in_float_alone() -> None:
    graph = net(("y", ops.Conv2d(), "x", "w"), w=(4, 3, 1, 1))
    found = distributions(graph, images(), ["x"])
    assert bias_corrected(graph, {"x": grid_of_range(-1, 1)}, found, in_float={"y"}).nodes == graph.nodes
    assert bias_corrected(graph, {}, found).nodes == graph.nodes


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
