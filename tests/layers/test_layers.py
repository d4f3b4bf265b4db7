"""Networks written down as layers: what becomes of each, and what is refused."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from cnnfast import GraphError, Network, layers, ops
from cnnfast.graph import evaluate
from cnnfast.layers import (
    BatchNorm,
    Branches,
    Clip,
    Conv2d,
    Flatten,
    Gate,
    GlobalAvgPool,
    Linear,
    MaxPool,
    PRelu,
    Relu,
    Relu6,
    Residual,
    Sigmoid,
    build_graph,
)

IMAGE = (3, 6, 6)


def one(*size: int) -> np.ndarray:
    return np.ones(size)


def names(*chain: layers.AnyLayer) -> list[str]:
    """Return the names of the nodes that a chain becomes."""
    return [node.name for node in build_graph(chain, IMAGE).nodes]


def value(*chain: layers.AnyLayer) -> np.ndarray:
    """Return what a chain makes of an image of twos."""
    graph = build_graph(chain, IMAGE)
    return evaluate(graph, np.full((1, *IMAGE), 2.0))[graph.outputs[0]][0]


def test_names_count_each_op_and_may_be_given() -> None:
    chain = [Relu(), Relu(name="mine"), Relu(), MaxPool(2), Residual([Relu()]), Residual([Relu()], name="sum")]
    assert names(*chain) == ["relu_1", "mine", "relu_2", "max_pool_1", "relu_3", "add_1", "relu_4", "sum"]


def test_a_name_given_twice() -> None:
    with pytest.raises(GraphError, match="two values are named 'same'"):
        names(Relu(name="same"), Relu(name="same"))


def test_weights_are_named_after_their_layer() -> None:
    graph = build_graph([Conv2d(one(4, 3, 1, 1), one(4), name="stem"), PRelu([0.1])], IMAGE)
    assert set(graph.constants) == {"stem.weight", "stem.bias", "prelu_1.slope"}
    assert all(array.dtype == np.float32 for array in graph.constants.values())


def test_residual_adds_its_input_or_a_shortcut() -> None:
    assert (value(Residual([Clip(0.0, 0.5)])) == 2.5).all()
    assert (value(Residual([Clip(0.0, 0.5)], [Clip(0.0, 1.0)])) == 1.5).all()


def test_gate_multiplies_its_input() -> None:
    assert (value(Gate([Clip(0.0, 0.5)])) == 1).all()
    gated = value(Gate([GlobalAvgPool(), Sigmoid()]))
    np.testing.assert_allclose(gated, 2 / (1 + np.exp(-2.0)))


def test_branches_stand_in_their_order() -> None:
    joined = value(Branches([[], [Clip(0.0, 1.0)], [Clip(0.0, 0.5), Relu()]]))
    assert joined.shape == (9, 6, 6)
    assert [joined[c, 0, 0] for c in (0, 3, 6)] == [2, 1, 0.5]


def test_blocks_inside_blocks() -> None:
    assert (value(Residual([Branches([[Gate([Clip(0.0, 0.5)])]])])) == 3).all()


def test_relu6_is_a_clip() -> None:
    assert Relu6("six").op == ops.Clip(0.0, 6.0)
    assert Relu6("six").name == "six"


def test_attributes_reach_the_op() -> None:
    conv = Conv2d(one(6, 1, 3, 3), stride=2, padding=(0, 1, 2, 1), dilation=1, groups=3)
    assert conv.op == ops.Conv2d(2, (0, 1, 2, 1), 1, 3)
    assert BatchNorm(*[one(3)] * 4, eps=1e-3).op == ops.BatchNorm(1e-3)
    assert MaxPool(3, stride=2, padding=1).op == ops.MaxPool(3, 2, 1)


def test_every_op_has_a_layer() -> None:
    joined = {"Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "MatMul", "Concat"}
    for op in ops.OPS.values():
        if op.__name__ not in joined:
            make = getattr(layers, op.__name__)
            assert callable(make)
            assert inspect.getdoc(make)


@pytest.mark.parametrize(
    ("chain", "rule"),
    [
        ([Relu], "a network is a list of layers such as Conv2d"),
        ([Residual([ops.Relu()])], "one of them is Relu"),  # type: ignore[list-item]
        (["relu"], "one of them is 'relu'"),
        ([Conv2d(one(4, 5, 3, 3))], "conv2d_1"),
        ([Conv2d(one(4, 3, 7, 7))], "conv2d_1"),
        ([Linear(one(4, 5)), Relu()], "linear_1"),
        ([Flatten(), Linear(one(4, 107))], "linear_1"),
        ([Residual([MaxPool(2)])], "add_1"),
        ([Branches([[Relu()], [MaxPool(2)]])], "concat_1"),
    ],
)
def test_what_does_not_fit_names_its_node(chain: list[layers.AnyLayer], rule: str) -> None:
    with pytest.raises(GraphError, match=rule):
        Network.from_layers(chain, IMAGE)


def test_an_empty_network_returns_its_input() -> None:
    net = Network.from_layers([], (4,))
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(net.forward(rows), rows)
