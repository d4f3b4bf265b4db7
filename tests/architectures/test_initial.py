"""Fresh weights: their variance, their seeds, what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.architectures import build
from cnnfast.architectures.initial import initialize
from cnnfast.errors import ConfigError
from cnnfast.graph import Graph, evaluate
from cnnfast.layers import BatchNorm, Conv2d, Flatten, Linear, PRelu, Relu, Sigmoid, build_graph


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
    with pytest.raises(ConfigError, match="init must be one of 'random', 'identity', but is 'dirac'"):
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


def test_only_some_layers() -> None:
    given = graph()
    fresh = initialize(given, only={"dense"}).constants
    assert fresh["dense.weight"].any()
    assert not fresh["dense.bias"].any()
    untouched = [name for name in fresh if not name.startswith("dense.")]
    assert all(fresh[name] is given.constants[name] for name in untouched)
