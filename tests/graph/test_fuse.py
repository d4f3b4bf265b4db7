"""fuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_graphs import names, net

from cnnfast import ops
from cnnfast.graph import Graph, evaluate
from cnnfast.graph.passes import fuse
from cnnfast.ops import Op

SAME = ops.Conv2d(padding=1)
CONV = ("conv", SAME, "x", "w", "b")
CONSTANTS = {"w": (3, 3, 3, 3), "b": (3,)}


def fused(*nodes: Any, outputs: str = "", **constants: Any) -> Graph:
    """Fuse, and check that the outputs keep every bit."""
    graph = net(*nodes, outputs=outputs, **CONSTANTS, **constants)
    after = fuse(graph)
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8))
    expected, actual = evaluate(graph, x), evaluate(after, x)
    for name in graph.outputs:
        np.testing.assert_array_equal(actual[name], expected[name])
    assert fuse(after) is after
    return after


def test_a_layer_takes_add_activation_and_pool() -> None:
    after = fused(CONV, ("sum", ops.Add(), "conv", "x"), ("relu", ops.Relu(), "sum"), ("y", ops.MaxPool(2), "relu"))
    assert names(after) == ["y"]
    assert after.nodes[0].op == ops.Fused(SAME, (ops.Add(), ops.Relu(), ops.MaxPool(2)), 3)
    assert after.nodes[0].inputs == ("x", "w", "b", "x")


@pytest.mark.parametrize(
    "tail", [(ops.Relu(),), (ops.AvgPool(2),), (ops.Gelu(), ops.MaxPool(3, 2, 1)), (ops.MaxPool(2, ceil_mode=True),)]
)
def test_any_part_of_it(tail: tuple[Op, ...]) -> None:
    nodes = [(f"t{i}", op, f"t{i - 1}" if i else "conv") for i, op in enumerate(tail)]
    after = fused(CONV, *nodes)
    assert [node.op for node in after.nodes] == [ops.Fused(SAME, tail, 3)]
    assert names(after) == [f"t{len(tail) - 1}"]


def test_linear_and_activation() -> None:
    graph = net(
        ("fc", ops.Linear(), "x", "w"), ("act", ops.Sigmoid(), "fc"), ("y", ops.Softmax(), "act"), x=(5,), w=(4, 5)
    )
    assert [node.op.name for node in fuse(graph).nodes] == ["fused", "softmax"]


def test_the_order_of_a_residual_does_not_matter() -> None:
    after = fused(CONV, ("y", ops.Add(), "x", "conv"))
    assert after.nodes[0].inputs == ("x", "w", "b", "x")


def test_a_residual_may_be_a_constant_that_keeps_the_shape() -> None:
    after = fused(CONV, ("y", ops.Add(), "row", "conv"), row=(1, 1, 8))
    assert after.nodes[0].inputs[-1] == "row"
    widening = net(("fc", ops.Linear(), "x", "w"), ("y", ops.Add(), "fc", "c"), x=(5,), w=(1, 5), c=(4,))
    assert fuse(widening) is widening


def test_a_computed_residual_must_have_the_same_shape() -> None:
    after = fused(CONV, ("gate", ops.GlobalAvgPool(), "x"), ("y", ops.Add(), "conv", "gate"))
    assert [node.op.name for node in after.nodes] == ["conv2d", "global_avg_pool", "add"]


def test_prelu_brings_its_slope() -> None:
    after = fused(CONV, ("sum", ops.Add(), "x", "conv"), ("y", ops.PRelu(), "sum", "slope"), slope=(3,))
    assert after.nodes[0].inputs == ("x", "w", "b", "x", "slope")


def test_of_two_layers_the_later_takes_the_add() -> None:
    after = fused(
        CONV,
        ("shortcut", SAME, "x", "w"),
        ("inner", ops.Relu(), "conv"),
        ("last", SAME, "inner", "w"),
        ("sum", ops.Add(), "last", "shortcut"),
        ("y", ops.Relu(), "sum"),
    )
    assert names(after) == ["shortcut", "inner", "y"]
    assert after.by_name["y"].inputs == ("inner", "w", "shortcut")


def test_an_add_of_two_pools_takes_the_activation_itself() -> None:
    after = fused(
        ("p", ops.MaxPool(2), "x"), ("q", ops.AvgPool(2), "x"), ("sum", ops.Add(), "p", "q"), ("y", ops.Relu(), "sum")
    )
    assert [node.op for node in after.nodes] == [ops.MaxPool(2), ops.AvgPool(2), ops.Fused(ops.Add(), (ops.Relu(),), 2)]


def test_other_bases_take_an_activation_only() -> None:
    after = fused(
        ("norm", ops.BatchNorm(), "x", "b", "b", "b", "v"),
        ("act", ops.Gelu(), "norm"),
        ("pool", ops.MaxPool(2), "act"),
        ("pooled", ops.Tanh(), "pool"),
        ("twice", ops.Relu(), "pooled"),
        ("mean", ops.GlobalAvgPool(), "twice"),
        ("gate", ops.HardSigmoid(), "mean"),
        ("y", ops.Mul(), "twice", "gate"),
        v=[1.0, 2.0, 3.0],
    )
    assert names(after) == ["act", "pooled", "twice", "gate", "y"]


@pytest.mark.parametrize(
    ("activation", "moves"),
    [
        (ops.Relu(), True),
        (ops.Clip(-1, 1), True),
        (ops.LeakyRelu(0.1), True),
        (ops.LeakyRelu(-0.1), False),
        (ops.HardSigmoid(), True),
        (ops.HardSigmoid(-0.2), False),
        (ops.Sigmoid(), False),
        (ops.Gelu(), False),
    ],
    ids=repr,
)
def test_an_activation_behind_a_max_pool_moves_before_it_if_no_bit_changes(activation: Op, moves: bool) -> None:
    after = fused(CONV, ("pool", ops.MaxPool(2), "conv"), ("y", activation, "pool"))
    if moves:
        assert [node.op for node in after.nodes] == [ops.Fused(SAME, (activation, ops.MaxPool(2)), 3)]
    else:
        assert [node.op for node in after.nodes] == [ops.Fused(SAME, (ops.MaxPool(2),), 3), activation]


def test_prelu_moves_if_every_slope_is_positive() -> None:
    for slope, count in (([0.1, 0.5, 2.0], 1), ([0.5, -0.1, 0.5], 2), ([0.5, 0.0, 0.5], 2)):
        after = fused(CONV, ("pool", ops.MaxPool(2), "conv"), ("y", ops.PRelu(), "pool", "slope"), slope=slope)
        assert len(after.nodes) == count


def test_nothing_moves_before_a_pool_with_windows_of_padding_alone_or_an_average() -> None:
    gaps = ops.MaxPool(2, 1, 2, 3)
    after = fused(CONV, ("small", ops.MaxPool(8), "conv"), ("pool", gaps, "small"), ("y", ops.Relu(), "pool"))
    assert [node.op.name for node in after.nodes] == ["fused", "fused"]
    after = fused(CONV, ("pool", gaps, "conv"), ("y", ops.Relu(), "pool"))
    assert [node.op for node in after.nodes] == [ops.Fused(SAME, (gaps,), 3), ops.Relu()]
    after = fused(CONV, ("pool", ops.AvgPool(2), "conv"), ("y", ops.Relu(), "pool"))
    assert len(after.nodes) == 2


def test_the_second_activation_and_the_second_pool_stay() -> None:
    after = fused(
        CONV, ("a", ops.Relu(), "conv"), ("t", ops.Tanh(), "a"), ("p", ops.MaxPool(2), "t"), ("y", ops.MaxPool(2), "p")
    )
    assert names(after) == ["a", "t", "p", "y"]
    after = fused(CONV, ("a", ops.Relu(), "conv"), ("p", ops.MaxPool(2), "a"), ("y", ops.Clip(), "p"))
    assert names(after) == ["p", "y"]


def test_values_that_are_needed_elsewhere_are_not_fused() -> None:
    assert len(fused(CONV, ("y", ops.Relu(), "conv"), outputs="conv y").nodes) == 2
    assert len(fused(CONV, ("a", ops.Relu(), "conv"), ("y", ops.Concat(), "a", "conv")).nodes) == 3
    assert len(fused(CONV, ("y", ops.Add(), "conv", "conv")).nodes) == 2
    after = fused(CONV, ("a", ops.Relu(), "conv"), ("p", ops.MaxPool(2), "a"), ("f", ops.Flatten(), "a"), outputs="p f")
    assert names(after) == ["a", "p", "f"]
