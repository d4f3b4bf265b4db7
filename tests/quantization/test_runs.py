"""Runs of calibration: weights are packed once, what no kernel takes goes to the reference, a bar counts."""

from __future__ import annotations

import numpy as np
import pytest
from small_graphs import net

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, evaluate
from cnnfast.ops import Array
from cnnfast.plan.step import Packed
from cnnfast.quantization.runs import MOST_ENDS, Runs, Values, between
from cnnfast.quantization.statistics import BINS, distributions, histogram

GRAPH = net(
    ("a", ops.Conv2d(padding=1), "x", "w"),
    ("r", ops.Relu(), "a"),
    ("b", ops.Conv2d(padding=1), "r", "v"),
    ("y", ops.Add(), "b", "r"),
    w=(4, 3, 3, 3),
    v=(4, 4, 3, 3),
)


def images(count: int) -> Array:
    return np.random.default_rng(1).normal(size=(count, 3, 8, 8)).astype(np.float32)


def test_graphs_with_the_same_weights_pack_each_of_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[int] = []
    before = Packed._array.func  # type: ignore[attr-defined]

    def counted(self: Packed) -> Array:
        packed.append(self.nbytes)
        return before(self)

    monkeypatch.setattr(Packed._array, "func", counted)
    runs = Runs()
    for part in (GRAPH, between(GRAPH, ["r"], ["y"]), between(GRAPH, ["a"], ["b"])):
        runs.function(part)
    assert len(packed) == 2
    runs.function(between(GRAPH, ["a"], ["b"]), keep=False)
    assert len(packed) == 3


def test_what_has_more_axes_than_a_program_is_computed_by_the_reference() -> None:
    graph = Graph({"x": (2, 3, 2, 2)}, net(("y", ops.Relu(), "x"), x=(2, 3, 2, 2)).nodes, {}, ("y",))
    x = np.random.default_rng(2).normal(size=(70, 2, 3, 2, 2)).astype(np.float32)
    (found,) = Runs().function(graph)({"x": x})
    np.testing.assert_array_equal(found, evaluate(graph, x, np.float32)["y"])


def test_values_of_a_shuffle_have_four_axes() -> None:
    graph = net(
        ("a", ops.Conv2d(), "x", "w"),
        ("g", ops.Reshape((2, 2, 8, 8)), "a"),
        ("t", ops.Transpose((0, 2, 1, 3, 4)), "g"),
        ("s", ops.Reshape((4, 8, 8)), "t"),
        *((f"n{i}", ops.Relu(), "s" if i == 0 else f"n{i - 1}") for i in range(MOST_ENDS)),
        w=(4, 3, 1, 1),
    )
    names = [node.name for node in graph.nodes]
    expected = evaluate(graph, images(5), np.float32)
    for name, value in Values(graph, names)({"x": images(5)}).items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-5)


def test_a_histogram_counts_every_element_where_numpy_does_or_next_to_it() -> None:
    values = np.random.default_rng(3).standard_t(3, size=100_000).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    found, expected = histogram(values, low, high), np.histogram(values, BINS, (low, high))[0]
    assert found.sum() == values.size
    assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() <= values.size / 1000
    assert histogram(np.full(5, 2, np.float32), 2.0, 2.0)[0] == 5


def test_a_value_that_is_not_finite_is_named() -> None:
    x = images(3)
    x[1, 0, 2, 2] = np.inf
    with pytest.raises(GraphError, match="value 'r' is not finite"):
        distributions(GRAPH, x, ["r"])


def test_a_bar_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Runs(progress=True).counted([1, 2, 3], "ranges of values")) == [1, 2, 3]
    assert "ranges of values" in capsys.readouterr().err
    list(Runs(progress=False).counted([1, 2, 3], "ranges of values"))
    assert capsys.readouterr().err == ""
