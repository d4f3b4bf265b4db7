"""Layers that are given sizes: the weights that they get, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import GraphError, Network
from cnnfast.graph import evaluate
from cnnfast.layers import (
    AnyLayer,
    BatchNorm,
    Branches,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    PRelu,
    Relu,
    Residual,
    graph_without_weights,
)

CNN: list[AnyLayer] = [
    Conv2d(16, 3, padding="same", bias=False),
    BatchNorm(),
    PRelu(),
    MaxPool(2),
    Residual([Conv2d(16, (3, 1), padding=(1, 0)), Relu()], [Conv2d(16, 1, groups=2)]),
    Branches([[Conv2d(4, 1)], [Conv2d(8, 3, padding=1, stride=1)]]),
    Flatten(),
    Linear(2),
]


def shapes(layers: list[AnyLayer], image: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    graph, _ = graph_without_weights(layers, image)
    return {name: array.shape for name, array in graph.constants.items()}


def test_weights_follow_from_the_value_that_a_layer_meets() -> None:
    assert shapes(CNN, (3, 10, 12)) == {
        "conv2d_1.weight": (16, 3, 3, 3),
        **{f"batch_norm_1.{name}": (16,) for name in ("scale", "shift", "mean", "var")},
        "prelu_1.slope": (16,),
        "conv2d_2.weight": (16, 16, 3, 1),
        "conv2d_2.bias": (16,),
        "conv2d_3.weight": (16, 8, 1, 1),
        "conv2d_3.bias": (16,),
        "conv2d_4.weight": (4, 16, 1, 1),
        "conv2d_4.bias": (4,),
        "conv2d_5.weight": (8, 16, 3, 3),
        "conv2d_5.bias": (8,),
        "linear_1.weight": (2, 12 * 5 * 6),
        "linear_1.bias": (2,),
    }


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_is_that_of_keras(size: int, kernel: int, stride: int, dilation: int) -> None:
    """ceil(size / stride) rows, and an odd row of padding goes below."""
    layer = Conv2d(1, kernel, padding="same", stride=stride, dilation=dilation)
    graph, _ = graph_without_weights([layer], (1, size, size))
    assert graph.shapes["conv2d_1"] == (1, -(-size // stride), -(-size // stride))
    top, left, bottom, right = graph.by_name["conv2d_1"].op.attributes()["padding"]
    assert (top, bottom) == (left, right)
    assert 0 <= bottom - top <= 1


def test_valid_is_no_padding() -> None:
    graph, _ = graph_without_weights([Conv2d(4, 3, padding="valid")], (1, 8, 8))
    assert graph.shapes["conv2d_1"] == (4, 6, 6)


def test_build_makes_weights_and_keeps_those_that_are_given() -> None:
    given = np.full((5, 3, 1, 1), 0.25, np.float32)
    layers = [Conv2d(given), Relu(), Conv2d(6, 3), BatchNorm(), PRelu(), GlobalAvgPool(), Flatten(), Linear(2)]
    net, same, other = (Network.build(layers, (3, 8, 8), classes=["a", "b"], seed=seed) for seed in (1, 1, 2))
    weights = net.graph.constants
    assert (weights["conv2d_1.weight"] == given).all()
    assert weights["conv2d_2.weight"].std() == pytest.approx((2 / 45) ** 0.5, rel=0.2)
    assert (weights["batch_norm_1.var"] == 1).all()
    assert (weights["prelu_1.slope"] == 0.25).all()
    assert all((weights[name] == same.graph.constants[name]).all() for name in weights)
    assert (weights["linear_1.weight"] != other.graph.constants["linear_1.weight"]).any()
    assert net.classes_.tolist() == ["a", "b"]


def test_a_built_network_computes_what_its_graph_says() -> None:
    net = Network.build(CNN, (3, 10, 12))
    x = np.random.default_rng(0).standard_normal((3, 3, 10, 12)).astype(np.float32)
    wanted = evaluate(net.graph, x.astype(np.float64))[net.graph.outputs[0]]
    np.testing.assert_allclose(net.forward(x, layout="nchw"), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Linear(10)], r"Linear needs rows of features \(F,\), but meets \(3, 8, 8\); put Flatten\(\) before it"),
        ([Flatten(), Conv2d(4, 3)], r"Conv2d needs images of shape \(C, H, W\), but meets \(192,\)"),
        ([Conv2d(4, 3, groups=2)], "groups of Conv2d must divide the channels, but 2 does not divide 3"),
        ([Conv2d(4, 9)], r"\(3, 8, 8\)"),
    ],
)
def test_a_layer_that_does_not_fit(layers: list[AnyLayer], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Network.build(layers, (3, 8, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(0, 3), "the number of filters of Conv2d must be an integer from 1 up, but is 0"),
        (lambda: Conv2d(True, 3), "the number of filters of Conv2d must be an integer from 1 up, but is True"),
        (lambda: Conv2d(4), "the kernel of Conv2d must be an integer from 1 up, but is None"),  # type: ignore[call-overload]
        (lambda: Conv2d(4, (3, 3, 3)), "the kernel of Conv2d must be one or two integers"),  # type: ignore[call-overload]
        (lambda: Conv2d(4, 3, padding="full"), "padding of Conv2d must be numbers, 'same' or 'valid', but is 'full'"),
        (lambda: Conv2d(np.zeros((4, 3, 3, 3)), padding="same"), r"padding='same' is for Conv2d\(filters, kernel\)"),
        (lambda: Linear(-1), "the number of outputs of Linear must be an integer from 1 up, but is -1"),
        (lambda: BatchNorm(np.ones(3), np.ones(3)), "needs scale, shift, mean and var, or none of them"),  # type: ignore[call-overload]
    ],
)
def test_a_size_that_is_none(make: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()  # type: ignore[operator]


def test_from_layers_makes_no_weights() -> None:
    with pytest.raises(GraphError, match=r"'conv2d_1' has sizes, but no weights; Network.build\(layers, ...\) makes"):
        Network.from_layers([Conv2d(4, 3), Relu()], (3, 8, 8))


def test_it_is_shown_as_it_was_written() -> None:
    assert repr([Conv2d(4, 3), Linear(2), BatchNorm()]) == "[Conv2d(4, 3), Linear(2), BatchNorm()]"
