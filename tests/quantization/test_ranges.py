"""Statistics of values, candidates of ranges, and how the best is found."""

from __future__ import annotations

import numpy as np
import pytest
from small_graphs import net

from cnnfast import ops
from cnnfast.graph import evaluate
from cnnfast.graph.integers import grid_of_range
from cnnfast.ops.base import Array
from cnnfast.quantization.detour import Detour, behind
from cnnfast.quantization.ranges import best_grids, candidates, least_squares, rounded, squared_error
from cnnfast.quantization.runs import Values
from cnnfast.quantization.statistics import BINS, Distribution, distributions


def rng() -> np.random.Generator:
    return np.random.default_rng(33)


GRAPH = net(
    ("a", ops.Conv2d(padding=1), "x", "w"),
    ("b", ops.Relu(), "a"),
    ("c", ops.Conv2d(padding=1), "b", "v"),
    ("d", ops.Add(), "c", "b"),
    ("e", ops.GlobalAvgPool(keep_dims=False), "d"),
    ("y", ops.Linear(), "e", "u"),
    w=(4, 3, 3, 3),
    v=(4, 4, 3, 3),
    u=(5, 4),
)


def images(count: int = 20) -> Array:
    return rng().normal(size=(count, 3, 8, 8)).astype(np.float32)


def distribution_of(values: Array) -> Distribution:
    low, high = float(values.min()), float(values.max())
    counts = np.histogram(values, BINS, (low, high))[0]
    return Distribution(low, high, counts, np.zeros(1), np.zeros(1))


def test_values_are_those_of_the_reference() -> None:
    x = images(5)
    names = ["a", "b", "c", "d", "e", "y"]
    expected = evaluate(GRAPH, x)
    for name, found in Values(GRAPH, names)({"x": x}).items():
        np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-4)


def test_more_values_than_a_program_gives() -> None:
    nodes = [(f"n{i}", ops.Mul(), "x" if i == 0 else f"n{i - 1}", "k") for i in range(20)]
    graph = net(*nodes, k=np.full(1, 1.1, np.float32))
    found = Values(graph, [f"n{i}" for i in range(20)])({"x": images(2)})
    np.testing.assert_allclose(found["n19"], images(2) * 1.1**20, rtol=1e-4)


def test_distributions() -> None:
    x = images(37)
    values = evaluate(GRAPH, x, np.float32)
    for name, found in distributions(GRAPH, x, ["x", "b", "e"]).items():
        value = values[name]
        assert (found.low, found.high) == pytest.approx((value.min(), value.max()), abs=1e-4)
        assert found.counts.sum() == value.size
        by_channel = np.moveaxis(value, 1, 0).reshape(value.shape[1], -1)
        np.testing.assert_allclose(found.mean, by_channel.mean(axis=1), atol=1e-5)
        np.testing.assert_allclose(found.peak, np.abs(by_channel).max(axis=1), atol=1e-4)


def test_least_squares_is_no_worse_than_any_other_rule() -> None:
    for values in (rng().normal(size=50_000), rng().standard_t(3, size=50_000), rng().exponential(size=50_000) ** 2):
        found = distribution_of(values)
        errors = {rule: squared_error(found, grid) for rule, grid in candidates(found).items()}
        assert errors.get("least squares", errors["min/max"]) <= min(errors.values()) * 1.02
        exact = np.square(rounded(values, least_squares(found)) - values).sum()
        assert squared_error(found, least_squares(found)) == pytest.approx(exact, rel=0.05)


def test_heavy_tails_are_cut_and_even_ones_are_not() -> None:
    heavy = distribution_of(np.append(rng().normal(size=1_000_000), [-20, 20]))
    assert least_squares(heavy).scale < grid_of_range(heavy.low, heavy.high).scale / 2
    even = distribution_of(rng().uniform(-1, 3, size=100_000))
    assert least_squares(even) == grid_of_range(even.low, even.high)
    assert set(candidates(distribution_of(np.array([0.0, 1.0])))) == {"min/max"}


def test_a_detour_is_what_the_network_makes_of_another_value() -> None:
    x = images(6)
    detour = Detour(GRAPH, x)
    values = evaluate(GRAPH, x, np.float32)
    for name in ("x", "a", "b", "c", "e", "y"):
        other = rng().normal(size=values[name].shape).astype(np.float32)
        part = behind(GRAPH, name) if name != "y" else None
        inputs = {} if part is None else {v: other if v == name else values[v] for v in part.inputs}
        expected = other if part is None else evaluate(part, inputs)["y"]
        found = detour.through(name, other)
        assert found is not None
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
        same = detour.through(name, detour.value(name))
        np.testing.assert_allclose(same, detour.output, rtol=0, atol=1e-4)


def test_too_many_other_values_are_no_detour() -> None:
    nodes = [(f"n{i}", ops.Mul(), "x", "k") for i in range(9)]
    graph = net(*nodes, ("y", ops.Concat(), *(f"n{i}" for i in range(9))), k=np.ones(1, np.float32))
    detour = Detour(graph, images(2))
    assert behind(graph, "n0") is None
    assert detour.through("n0", images(2)) is None
    grids, rules = best_grids(["n0"], distributions(graph, images(2), ["n0"]), detour)
    assert rules == {"n0": "least squares"}
    assert grids["n0"] == least_squares(distributions(graph, images(2), ["n0"])["n0"])


def test_the_rule_with_the_least_error_of_the_output_is_taken() -> None:
    x = images(40)
    x[0, 0, 0, 0] = 50
    names = ["x", "b", "e"]
    found = distributions(GRAPH, x, names)
    detour = Detour(GRAPH, x)
    grids, rules = best_grids(names, found, detour)
    for name in names:
        choices = candidates(found[name])
        errors = {}
        for rule, grid in choices.items():
            output = detour.through(name, rounded(detour.value(name), grid))
            assert output is not None
            errors[rule] = np.square(output.astype(np.float64) - detour.output).mean()
        assert errors[rules[name]] == min(errors.values())
        assert choices[rules[name]] == grids[name]
    assert rules["x"] != "min/max" or grids["x"].limits[1] > 40
