"""fold_batch_norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_graphs import names, net

from cnnfast.graph import Graph, evaluate
from cnnfast.graph.passes import fold_batch_norm
from cnnfast.ops import Add, BatchNorm, Conv2d, Linear, MaxPool, Mul, Op, Relu

CONV = ("conv", Conv2d(padding=1), "x", "w")
BIASED = ("conv", Conv2d(padding=1), "x", "w", "b")
CONSTANTS: dict[str, Any] = {
    "w": (4, 3, 3, 3),
    "b": (4,),
    "scale": [0.5, 1.0, 1.5, 2.0],
    "mixed": [0.5, -1.0, 1.5, 0.0],
    "shift": (4,),
    "mean": (4,),
    "var": [0.5, 1.0, 2.0, 4.0],
}


def norm(name: str, value: str, scale: str = "scale") -> tuple[str, Op, str, str, str, str, str]:
    return (name, BatchNorm(), value, scale, "shift", "mean", "var")


def folded(*nodes: Any, outputs: str = "", **constants: Any) -> Graph:
    """Fold, and check that the outputs stay the same."""
    graph = net(*nodes, outputs=outputs, **(constants or CONSTANTS))
    after = fold_batch_norm(graph)
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8))
    expected, actual = evaluate(graph, x), evaluate(after, x)
    for name in graph.outputs:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-12, atol=1e-12)
    return after


@pytest.mark.parametrize("conv", [CONV, BIASED], ids=["without bias", "with bias"])
def test_into_a_convolution(conv: Any) -> None:
    after = folded(conv, norm("y", "conv", "mixed"))
    assert names(after) == ["y"]
    assert after.nodes[0].op == Conv2d(padding=1)
    assert [after.constants[v].shape for v in after.nodes[0].inputs[1:]] == [(4, 3, 3, 3), (4,)]
    assert all(after.constants[v].dtype == np.float64 for v in after.nodes[0].inputs[1:])
    assert len(after.constants) == 2


def test_into_a_linear_layer() -> None:
    graph = net(("fc", Linear(), "x", "w"), norm("y", "fc"), x=(5,), **{**CONSTANTS, "w": (4, 5)})
    after = fold_batch_norm(graph)
    assert names(after) == ["y"]
    x = np.ones((1, 5))
    np.testing.assert_allclose(evaluate(after, x)["y"], evaluate(graph, x)["y"], rtol=1e-12)


def test_a_whole_row_of_them() -> None:
    after = folded(
        CONV,
        norm("n1", "conv"),
        ("m", Mul(), "n1", "channel"),
        ("a", Add(), "one", "m"),
        ("h", Mul(), "half", "a"),
        norm("y", "h"),
        **CONSTANTS,
        channel=(4, 1, 1),
        one=(1, 1, 1),
        half=0.5,
    )
    assert names(after) == ["y"]


def test_a_factor_alone_makes_no_bias() -> None:
    after = folded(CONV, ("y", Mul(), "conv", "c"), w=(4, 3, 3, 3), c=(4, 1, 1))
    assert len(after.nodes[0].inputs) == 2


def test_through_a_max_pool_if_every_factor_is_positive() -> None:
    after = folded(BIASED, ("pool", MaxPool(2), "conv"), norm("norm", "pool"), ("y", Relu(), "norm"))
    assert [node.op.name for node in after.nodes] == ["conv2d", "max_pool", "relu"]
    after = folded(BIASED, ("pool", MaxPool(2), "conv"), norm("y", "pool", "mixed"))
    assert [node.op.name for node in after.nodes] == ["conv2d", "max_pool", "batch_norm"]


def test_on_both_sides_of_two_max_pools() -> None:
    after = folded(
        CONV,
        norm("n1", "conv", "mixed"),
        ("p1", MaxPool(2), "n1"),
        norm("n2", "p1"),
        ("p2", MaxPool(3, 1, 1), "n2"),
        norm("y", "p2"),
    )
    assert [node.op.name for node in after.nodes] == ["conv2d", "max_pool", "max_pool"]
    assert names(after)[-1] == "y"


@pytest.mark.parametrize(
    ("constant", "why"),
    [((4, 8, 8), "one for each pixel"), ((8,), "one for each column"), ((1, 8, 1), "one for each row")],
)
def test_constants_that_are_not_per_channel_stay(constant: tuple[int, ...], why: str) -> None:
    after = folded(CONV, ("y", Add(), "conv", "c"), w=(4, 3, 3, 3), c=constant)
    assert len(after.nodes) == 2, why


def test_a_constant_that_widens_the_result_stays() -> None:
    graph = net(("fc", Linear(), "x", "w"), ("y", Add(), "fc", "c"), x=(5,), w=(1, 5), c=(4,))
    assert fold_batch_norm(graph) is graph


def test_a_value_that_is_needed_elsewhere_stays() -> None:
    assert len(folded(CONV, norm("y", "conv"), outputs="conv y").nodes) == 2
    assert len(folded(CONV, norm("n", "conv"), ("y", Add(), "n", "conv")).nodes) == 3
    assert len(folded(CONV, ("y", Mul(), "conv", "conv")).nodes) == 2
    assert len(folded(("r", Relu(), "x"), ("conv", Conv2d(), "r", "w"), norm("y", "conv")).nodes) == 2


def test_weights_shared_by_two_layers_are_not_mixed_up() -> None:
    after = folded(
        CONV,
        norm("n", "conv"),
        ("plain", Conv2d(padding=1), "x", "w"),
        ("y", Add(), "n", "plain"),
    )
    assert [node.op.name for node in after.nodes] == ["conv2d", "conv2d", "add"]
    assert "w" in after.constants


def test_numbers_that_float32_cannot_hold_are_not_made() -> None:
    tiny = {**CONSTANTS, "var": [0.0] * 4, "scale": [1e38] * 4}
    graph = net(BIASED, ("y", BatchNorm(1e-30), "conv", "scale", "shift", "mean", "var"), **tiny)
    assert fold_batch_norm(graph) is graph
    zero = net(BIASED, ("y", BatchNorm(0.0), "conv", "scale", "shift", "mean", "var"), **{**tiny, "scale": [1.0] * 4})
    assert fold_batch_norm(zero) is zero


def test_names_of_new_constants_avoid_the_old() -> None:
    graph = net(
        CONV,
        norm("n", "conv"),
        ("y", Add(), "n", "conv.weight.folded"),
        **CONSTANTS,
        **{"conv.weight.folded": (4, 8, 8)},
    )
    after = fold_batch_norm(graph)
    assert after.by_name["n"].inputs[1:] == ("conv.weight.folded_2", "conv.bias.folded")
