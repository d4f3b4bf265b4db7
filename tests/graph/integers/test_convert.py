"""From floats to integers: what becomes bytes, what stays in float and why, and how near the result is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, evaluate, optimize
from cnnfast.graph.integers import FLOAT_PASSES, IntegerGraph, grid_of_range, integer_weights, to_integers
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import Grid, Lookup


def rng() -> np.random.Generator:
    return np.random.default_rng(21)


def calibrated(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Grid]:
    """Return grids that cover all values exactly."""
    values = evaluate(graph, inputs)
    return {name: grid_of_range(v.min(), v.max()) for name, v in values.items() if np.isfinite(v).all()}


def converted(graph: Graph, x: Array, **in_float: str) -> IntegerGraph:
    return to_integers(graph, calibrated(graph, {"x": x}), in_float)


def kinds(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def error(graph: Graph, integers: Graph, x: Array) -> float:
    """Return the largest difference of the output, as a part of its largest value."""
    (name,) = graph.outputs
    expected, found = evaluate(graph, x)[name], evaluate(integers, x)[name]
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def weights(*shape: int) -> Array:
    return rng().normal(size=shape).astype(np.float32)


@settings(max_examples=60)
@given(seed=seeds())
def test_random_networks_stay_near(seed: int) -> None:
    """Eight bits are 1/510 of a range at most for each rounding; deep random networks add up some of them."""
    numbers = np.random.default_rng(seed)
    graph = optimize(random_graph(numbers, any_rank=bool(numbers.random() < 0.5)), FLOAT_PASSES)
    inputs = random_inputs(graph, numbers, images=8)
    integers = to_integers(graph, calibrated(graph, inputs)).graph
    assert integers.outputs == graph.outputs
    assert dict(integers.inputs) == dict(graph.inputs)
    expected, found = evaluate(graph, inputs), evaluate(integers, inputs)
    whole = optimize(integers)
    fused = evaluate(whole, inputs)
    for name in graph.outputs:
        assert integers.shapes[name] == graph.shapes[name]
        assert integers.dtypes[name] == "float32"
        largest = np.abs(expected[name]).max()
        assert np.abs(found[name] - expected[name]).max() <= 0.2 * largest + 1e-9, name
        np.testing.assert_allclose(fused[name], found[name], rtol=1e-9, atol=1e-9)


def test_a_layer_with_its_activation_and_pool() -> None:
    graph = net(
        ("conv", ops.Conv2d(padding=1), "x", "w", "b"),
        ("act", ops.Relu(), "conv"),
        ("pool", ops.MaxPool(2), "act"),
        ("flat", ops.Flatten(), "pool"),
        ("fc", ops.Linear(), "flat", "v"),
        ("y", ops.Softmax(), "fc"),
        w=weights(8, 3, 3, 3),
        b=weights(8),
        v=weights(4, 128),
    )
    x = rng().normal(size=(9, 3, 8, 8))
    made = converted(graph, x)
    assert kinds(made.graph) == [
        *("quantize", "integer_conv2d", "requantize", "max_pool", "flatten", "integer_linear"),
        *("dequantize_sums", "softmax"),
    ]
    assert made.in_float == {"y": "no layer of integers reads its result"}
    assert made.grids.keys() == {"x", "pool", "flat"}
    assert {made.graph.constants[n].dtype.name for n in made.graph.constants} == {"int8", "int32", "float32"}
    assert error(graph, made.graph, x) < 0.05


def test_the_later_layer_takes_the_residual() -> None:
    graph = net(
        ("a", ops.Conv2d(padding=1), "x", "w"),
        ("b", ops.Conv2d(padding=1), "a", "w2"),
        ("sum", ops.Add(), "b", "a"),
        ("act", ops.Clip(), "sum"),
        ("c", ops.Conv2d(), "act", "w2"),
        w=weights(4, 3, 3, 3) / 5,
        w2=weights(4, 4, 3, 3) / 5,
    )
    x = rng().normal(size=(9, 3, 8, 8))
    made = converted(graph, x)
    assert kinds(made.graph) == [
        *("quantize", "integer_conv2d", "requantize", "integer_conv2d", "requantize_add"),
        *("integer_conv2d", "dequantize_sums"),
    ]
    act = made.graph.by_name["act"].op
    assert (act.low, act.high) == (0, int(made.grids["act"].nearest(np.array(6.0))))  # type: ignore[attr-defined]
    assert error(graph, made.graph, x) < 0.03


def test_a_shortcut_that_skips_pixels_and_gets_channels_of_zeros_is_of_bytes() -> None:
    graph = net(
        ("a", ops.Conv2d(padding=1), "x", "w"),
        ("half", ops.Slice((0, 0, 0), (4, 4, 4), (1, 2, 2)), "a"),
        ("wide", ops.Pad(0, channels=(1, 3)), "half"),
        ("b", ops.Conv2d(padding=1, stride=2), "a", "w2"),
        ("sum", ops.Add(), "b", "wide"),
        ("large", ops.Resize(8), "sum"),
        ("c", ops.Conv2d(), "large", "w3"),
        w=weights(4, 3, 3, 3) / 5,
        w2=weights(8, 4, 3, 3) / 5,
        w3=weights(2, 8, 1, 1),
    )
    x = rng().normal(size=(9, 3, 8, 8))
    made = converted(graph, x)
    assert not made.in_float
    assert kinds(made.graph).count("quantize") == 1
    assert made.graph.by_name["wide"].op == ops.Pad(0, float(made.grids["a"].zero), channels=(1, 3))
    assert error(graph, made.graph, x) < 0.03


@pytest.mark.parametrize(
    ("op", "why"),
    [
        (ops.Pad(1, 1e6), "it puts 1e.06 around the image"),
        (ops.Resize(5, "linear"), "there is no resize of bytes"),
        (ops.Resize(5, exclude_outside=True), "there is no resize of bytes"),
    ],
)
def test_what_bytes_cannot_stand_for_stays_in_float(op: ops.Op, why: str) -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("moved", op, "a"),
        ("c", ops.Conv2d(), "moved", "v"),
        w=weights(4, 3, 3, 3),
        v=weights(2, 4, 1, 1),
    )
    reasons = converted(graph, rng().normal(size=(5, 3, 8, 8))).in_float
    assert reasons.keys() == {"moved"}
    assert re.search(why, reasons["moved"]) or reasons["moved"] == "no layer of integers reads its result"


def test_branches_gates_and_means() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("b", ops.Conv2d(), "x", "w3"),
        ("mean", ops.GlobalAvgPool(), "a"),
        ("gate", ops.Conv2d(), "mean", "w2"),
        ("soft", ops.Sigmoid(), "gate"),
        ("gated", ops.Mul(), "a", "soft"),
        ("sum", ops.Add(), "gated", "a"),
        ("cat", ops.Concat(), "sum", "b"),
        ("pooled", ops.AvgPool(2, padding=1), "cat"),
        ("y", ops.Conv2d(), "pooled", "w4"),
        w=weights(4, 3, 3, 3) / 5,
        w3=weights(4, 3, 3, 3),
        w2=weights(4, 4, 1, 1),
        w4=weights(2, 8, 2, 2),
    )
    x = rng().normal(size=(9, 3, 8, 8))
    made = converted(graph, x)
    assert kinds(made.graph).count("quantize") == 1
    assert not made.in_float
    assert {"quantized_global_avg_pool", "quantized_mul", "quantized_add", "quantized_avg_pool", "lookup"} <= set(
        kinds(made.graph)
    )
    # what only the concat reads is rounded once, on its grid
    assert made.grids["sum"] == made.grids["b"] == made.grids["cat"]
    assert error(graph, made.graph, x) < 0.05


def test_a_chain_of_functions_is_one_table_with_the_bytes_that_the_floats_round_to() -> None:
    factor, shift = weights(4, 1, 1), weights(4, 1, 1)
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("s", ops.Silu(), "a"),
        ("m", ops.Mul(), "s", "factor"),
        ("n", ops.Sub(), "shift", "m"),
        ("y", ops.Conv2d(), "n", "w2"),
        w=weights(4, 3, 1, 1),
        w2=weights(2, 4, 1, 1),
        factor=factor,
        shift=shift,
    )
    x = rng().normal(size=(9, 3, 8, 8))
    made = converted(graph, x)
    (table,) = [node for node in made.graph.nodes if isinstance(node.op, Lookup)]
    found = made.graph.constants[table.inputs[1]]
    assert found.shape == (4, 256)
    every = made.grids["a"].real(np.arange(256, dtype=np.uint8)).astype(np.float64)
    for channel in range(4):
        real = shift[channel, 0, 0] - factor[channel, 0, 0] * (every / (1 + np.exp(-every)))
        np.testing.assert_array_equal(found[channel], made.grids["n"].nearest(real))


def test_what_is_to_stay_in_float_stays_exactly() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("r", ops.Relu(), "a"),
        ("y", ops.Conv2d(), "r", "w2"),
        w=weights(4, 3, 3, 3),
        w2=weights(2, 4, 3, 3),
    )
    x = rng().normal(size=(3, 3, 8, 8))
    kept = converted(graph, x, a="told so", y="told so")
    assert kept.in_float == {"a": "told so", "r": "no layer of integers reads its result", "y": "told so"}
    np.testing.assert_array_equal(evaluate(kept.graph, x)["y"], evaluate(graph, x)["y"])
    half = converted(graph, x, a="told so")
    assert half.in_float["r"] == "its input is computed in float"
    assert kinds(half.graph) == ["conv2d", "relu", "quantize", "integer_conv2d", "dequantize_sums"]


def test_a_value_without_a_grid_stays_in_float_and_says_so() -> None:
    graph = net(("y", ops.Conv2d(), "x", "w"), w=weights(4, 3, 3, 3))
    assert to_integers(graph, {}).in_float == {"y": "the range of 'x' is unknown"}


def test_sums_that_do_not_fit_stay_in_float() -> None:
    graph = net(("y", ops.Linear(), "x", "w"), x=(70_000,), w=np.ones((1, 70_000), np.float32))
    made = to_integers(graph, {"x": Grid(1.0, 0)})
    assert kinds(made.graph) == ["linear"]
    assert "int32" in made.in_float["y"]


def test_names_that_are_taken_do_not_matter() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "a.weight"),
        ("a.sums", ops.Relu(), "a"),
        ("x.bytes", ops.Conv2d(), "a.sums", "w2"),
        **{"a.weight": weights(4, 3, 3, 3), "w2": weights(2, 4, 3, 3)},
    )
    x = rng().normal(size=(3, 3, 8, 8))
    assert error(graph, converted(graph, x).graph, x) < 0.03


@pytest.mark.parametrize("zero", [0, 3, 128])
def test_weights_use_all_of_their_bits_and_come_back(zero: int) -> None:
    weight, bias = weights(5, 3, 3, 3), weights(5)
    weight[2] = 0
    grid = Grid(0.02, zero)
    made = integer_weights(weight, bias, grid)
    heights = np.abs(made.weight.reshape(5, -1)).max(axis=1)
    assert heights[[0, 1, 3, 4]].tolist() == [127] * 4
    assert not made.weight[2].any()
    assert np.abs(made.real(grid.scale) - weight).max() <= np.abs(weight).max() / 127 * 0.51
    assert np.abs(made.bias * made.unit.astype(float) - bias).max() <= made.unit.max() / 2 * 1.001
    again = integer_weights(made.real(grid.scale), None, grid, scales=made.unit.astype(np.float64) / grid.scale)
    np.testing.assert_array_equal(again.weight, made.weight)


def test_a_weight_beyond_127_steps_is_refused_where_the_scale_is_given() -> None:
    with pytest.raises(GraphError, match="fc has a weight of 128 steps or a bias of 0; the most are 127"):
        integer_weights(np.array([[-128.0, 1.0]]), None, Grid(1.0, 0), name="fc", scales=np.ones(1))
    with pytest.raises(GraphError, match="a bias of 3e"):
        integer_weights(np.array([[0.0]]), np.array([3e9]), Grid(1.0, 0), scales=np.ones(1))
    with pytest.raises(GraphError, match="not integers on the scales"):
        integer_weights(np.array([[0.4]]), None, Grid(1.0, 0), scales=np.ones(1))
    with pytest.raises(GraphError, match="nan"):
        integer_weights(np.array([[np.nan]]), None, Grid(1.0, 0), scales=np.ones(1))


def test_with_round_all_every_value_with_a_grid_is_rounded() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("r", ops.Relu(), "a"),
        ("b", ops.Conv2d(), "r", "v"),
        ("sum", ops.Add(), "b", "r"),
        ("y", ops.Softmax(), "sum"),
        w=weights(4, 3, 1, 1),
        v=weights(4, 4, 1, 1),
    )
    grids = {"x": Grid(0.03, 128), "r": Grid(0.05, 0), "b": Grid(0.2, 128), "sum": Grid(0.25, 120)}
    made = to_integers(graph, grids, round_all=True).graph
    assert kinds(made) == [
        *("quantize", "integer_conv2d", "requantize", "integer_conv2d", "requantize", "quantized_add"),
        *("dequantize", "softmax"),
    ]
    free = to_integers(graph, grids).graph
    assert kinds(free) == [
        *("quantize", "integer_conv2d", "requantize", "integer_conv2d", "dequantize_sums", "dequantize", "add"),
        "softmax",
    ]


@pytest.mark.parametrize(
    ("low", "high", "zero"), [(0, 1, 0), (-1, 0, 255), (-1, 1, 128), (2, 3, 0), (-3, -2, 255), (0, 0, 0)]
)
def test_the_grid_of_a_range_has_a_byte_for_zero_and_covers_it(low: float, high: float, zero: int) -> None:
    grid = grid_of_range(low, high)
    assert grid.zero == zero
    lowest, highest = grid.limits
    assert lowest <= low + grid.scale / 2
    assert highest >= high - grid.scale / 2
