"""fold_constants."""

from __future__ import annotations

import numpy as np
import pytest
from small_graphs import names, net

from cnnfast.graph.passes import fold_constants
from cnnfast.graph.passes.fold_constants import BUDGET
from cnnfast.ops import Add, Concat, Conv2d, GlobalAvgPool, MaxPool, Mul, Pad, Relu, Reshape, Sigmoid


def test_a_tree_of_constants_becomes_one() -> None:
    graph = net(
        ("shaped", Reshape((3, 1, 1)), "c"),
        ("scaled", Mul(), "shaped", "two"),
        ("y", Add(), "x", "scaled"),
        c=[1.0, 2.0, 3.0],
        two=2.0,
    )
    after = fold_constants(graph)
    assert names(after) == ["y"]
    assert set(after.constants) == {"scaled"}
    np.testing.assert_array_equal(after.constants["scaled"], np.array([2.0, 4.0, 6.0]).reshape(3, 1, 1))


def test_results_are_float64_and_cannot_be_written() -> None:
    after = fold_constants(net(("s", Sigmoid(), "c"), ("y", Add(), "x", "s"), c=(3, 1, 1)))
    assert after.constants["s"].dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        after.constants["s"][0] = 1


def test_an_output_stays_a_node() -> None:
    graph = net(("y", Relu(), "c"), c=(4,))
    assert fold_constants(graph) is graph


def test_a_small_file_cannot_ask_for_much_memory() -> None:
    padded = net(("big", Pad(2000), "c"), ("m", GlobalAvgPool(), "big"), ("y", Add(), "x", "m"), c=(1, 1, 1))
    assert fold_constants(padded) is padded
    doubled = [(f"c{i + 1}", Concat(), f"c{i}", f"c{i}") for i in range(30)]
    after = fold_constants(net(*doubled, ("y", Concat(), "x", "c30"), x=(3,), c0=(1,)))
    assert sum(array.size for array in after.constants.values()) <= BUDGET
    assert len(after.nodes) > 5


def test_windows_over_constants_are_left_alone() -> None:
    absurd = net(
        ("pool", MaxPool(1 << 19, 1 << 19, (1 << 19) - 1), "c"),
        ("conv", Conv2d(stride=1 << 20, padding=(1 << 19, 1 << 19)), "c", "w"),
        ("a", Add(), "x", "pool"),
        ("y", Concat(), "a", "conv"),
        x=(1, 2, 2),
        c=(1, 3, 3),
        w=(1, 1, 1, 1),
    )
    assert fold_constants(absurd) is absurd
