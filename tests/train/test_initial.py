"""Fresh weights: their variance, their seeds, what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.architectures import build
from cnnfast.errors import ConfigError, GraphError
from cnnfast.graph import Graph, evaluate
from cnnfast.layers import BatchNorm, Conv2d, Flatten, Layer, Linear, PRelu, Relu, Sigmoid, build_graph
from cnnfast.network import Network
from cnnfast.preprocess import Preprocess
from cnnfast.train import initialize, whitened


def graph() -> Graph:
    ones, zeros = np.ones(64), np.zeros(64)
    layers = [
        Conv2d(np.zeros((64, 32, 3, 3)), zeros, padding=1, name="he"),
        BatchNorm(zeros, ones, ones, zeros, name="norm"),
        Relu(),
        Conv2d(np.zeros((64, 32, 3, 3)), zeros, padding=1, groups=2, name="glorot"),
        Sigmoid(),
        PRelu(zeros, name="prelu"),
        Flatten(),
        Linear(np.zeros((100, 64 * 16)), np.ones(100), name="dense"),
    ]
    return build_graph(layers, (32, 4, 4))


def test_variances() -> None:
    constants = initialize(graph(), seed=0).constants
    for name, variance in (("he", 2 / 288), ("glorot", 2 / (288 + 64 * 9 / 2)), ("dense", 2 / (1024 + 100))):
        weight = constants[f"{name}.weight"]
        assert weight.var() == pytest.approx(variance, rel=0.03)
        assert abs(weight.mean()) < 4 * np.sqrt(variance / weight.size)


def test_what_is_not_random() -> None:
    constants = initialize(graph(), seed=0).constants
    wanted = {"scale": 1, "shift": 0, "mean": 0, "var": 1}
    assert all((constants[f"norm.{name}"] == value).all() for name, value in wanted.items())
    assert not constants["dense.bias"].any()
    assert (constants["prelu.slope"] == 0.25).all()


def test_identity_start() -> None:
    """Convolutions copy their channels, those with groups within each; scores do not depend on the image."""
    x = np.random.default_rng(1).standard_normal((2, 32, 4, 4)).astype(np.float32)
    fresh = initialize(graph(), seed=0, init="identity")
    values = evaluate(fresh, x)
    np.testing.assert_array_equal(values["he"][:, :32], x)
    assert (fresh.constants["he.weight"][32:] == initialize(graph(), seed=0).constants["he.weight"][32:]).all()
    glorot, below = values["glorot"], values[fresh.by_name["glorot"].inputs[0]]
    np.testing.assert_array_equal(glorot[:, :32], below[:, :32])
    np.testing.assert_array_equal(glorot[:, 32:], below[:, 32:])
    assert not values["dense"].any()
    with pytest.raises(ConfigError, match="init must be one of random, identity, but is 'dirac'"):
        initialize(graph(), init="dirac")


def test_seeds() -> None:
    one, same, other = (initialize(graph(), seed).constants for seed in (3, 3, 4))
    assert all((one[name] == same[name]).all() for name in one)
    assert (one["he.weight"] != other["he.weight"]).any()


@pytest.mark.parametrize("name", ["cs61c", "lenet", "mlp", "cnn-16-32-64"])
def test_a_fresh_network_keeps_the_size_of_its_values(name: str) -> None:
    """Before the softmax, scores are of the order of one."""
    fresh = initialize(build(name), seed=0)
    (shape,) = fresh.inputs.values()
    x = np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32)
    scores = evaluate(fresh, x)[fresh.outputs[0]]
    assert 0.1 < np.abs(scores).mean() < 5


def pictures(images: int = 40) -> np.ndarray:
    """Return smooth random pictures, whose neighbouring pixels are alike, as those of photographs are."""
    rough = np.random.default_rng(0).integers(0, 128, (images, 9, 9, 3))
    return (rough[:, 1:, 1:] + rough[:, :-1, :-1]).astype(np.uint8)


def test_whitened_responses_are_uncorrelated_and_of_variance_one() -> None:
    images = pictures()
    preprocess = Preprocess(size=(8, 8), mean=(0.5, 0.4, 0.5), std=(0.2, 0.2, 0.3))
    net = Network.from_layers([Conv2d(np.zeros((24, 3, 2, 2)), name="first")], (3, 8, 8), preprocess=preprocess)
    found, name = whitened(net, images, least=0.0)
    assert name == "first"
    responses = found.forward(images, layout="nhwc").transpose(1, 0, 2, 3).reshape(24, -1).astype(np.float64)
    np.testing.assert_array_equal(
        found.graph.constants["first.weight"][12:], -found.graph.constants["first.weight"][:12]
    )
    np.testing.assert_allclose(responses[:12] @ responses[:12].T / responses.shape[1], np.eye(12), atol=1e-3)


def test_whitening_keeps_what_varies_most() -> None:
    """Fewer filters than components: the first ones see most of the variance; more: the rest stays."""
    images = pictures()
    few = Network.from_layers([Conv2d(np.zeros((2, 3, 2, 2)))], (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    many = Network.from_layers([Conv2d(np.ones((26, 3, 2, 2)))], (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    chosen, all_of_them = (whitened(net, images)[0].graph.constants["conv2d_1.weight"] for net in (few, many))
    np.testing.assert_array_equal(chosen[0], all_of_them[0])
    assert (all_of_them[24:] == 1).all()


@pytest.mark.parametrize("layer", [Linear(np.zeros((2, 192))), Conv2d(np.zeros((3, 3, 2, 2)))])
def test_nothing_to_whiten(layer: Layer) -> None:
    layers = [Flatten(), layer] if layer.op.name == "linear" else [layer]
    net = Network.from_layers(layers, (3, 8, 8), preprocess=Preprocess(size=(8, 8)))
    with pytest.raises(GraphError, match="an even number of filters without groups"):
        whitened(net, pictures())
