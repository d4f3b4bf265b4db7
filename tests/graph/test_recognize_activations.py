"""recognize_activations: every way to write an activation that exporters have, and what only looks like one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_graphs import names, net

from cnnfast.graph import Graph, evaluate
from cnnfast.graph.passes import optimize, recognize_activations
from cnnfast.ops import (
    Add,
    Clip,
    Conv2d,
    Div,
    Erf,
    Exp,
    Gelu,
    HardSigmoid,
    HardSwish,
    Maximum,
    Mul,
    Op,
    Relu,
    Sigmoid,
    Silu,
    Sub,
    Tanh,
)

Written = tuple[Op, list[tuple[str, Op, *tuple[str, ...]]], dict[str, float]]

FORMS: dict[str, Written] = {
    "silu": (Silu(), [("s", Sigmoid(), "x"), ("y", Mul(), "x", "s")], {}),
    "silu by exp": (
        Silu(),
        [("n", Sub(), "zero", "x"), ("e", Exp(), "n"), ("p", Add(), "e", "one"), ("y", Div(), "x", "p")],
        {"zero": 0, "one": 1},
    ),
    "gelu, torch": (
        Gelu(),
        [
            *[("d", Div(), "x", "root"), ("e", Erf(), "d"), ("p", Add(), "e", "one")],
            *[("m", Mul(), "x", "p"), ("y", Mul(), "m", "half")],
        ],
        {"root": math.sqrt(2), "one": 1, "half": 0.5},
    ),
    "gelu, tf": (
        Gelu(),
        [
            *[("d", Mul(), "x", "root"), ("e", Erf(), "d"), ("p", Add(), "one", "e")],
            *[("h", Mul(), "half", "x"), ("y", Mul(), "h", "p")],
        ],
        {"root": 1 / math.sqrt(2), "one": 1, "half": 0.5},
    ),
    "gelu, tanh": (
        Gelu("tanh"),
        [
            *[("s", Mul(), "x", "x"), ("c", Mul(), "s", "x"), ("k", Mul(), "c", "cubic"), ("a", Add(), "x", "k")],
            *[("r", Mul(), "a", "root"), ("t", Tanh(), "r"), ("p", Add(), "t", "one")],
            *[("h", Mul(), "x", "half"), ("y", Mul(), "h", "p")],
        ],
        {"cubic": 0.044715, "root": math.sqrt(2 / math.pi), "one": 1, "half": 0.5},
    ),
    "hard swish, torch": (
        HardSwish(),
        [("a", Add(), "x", "three"), ("c", Clip(), "a"), ("m", Mul(), "x", "c"), ("y", Div(), "m", "six")],
        {"three": 3, "six": 6},
    ),
    "hard swish by hard sigmoid": (HardSwish(), [("h", HardSigmoid(), "x"), ("y", Mul(), "h", "x")], {}),
    "hard sigmoid": (
        HardSigmoid(),
        [("a", Add(), "x", "three"), ("c", Clip(), "a"), ("y", Mul(), "c", "sixth")],
        {"three": 3, "sixth": 1 / 6},
    ),
    "hard sigmoid by clip": (
        HardSigmoid(),
        [("d", Mul(), "x", "sixth"), ("a", Add(), "d", "half"), ("y", Clip(0.0, 1.0), "a")],
        {"sixth": 1 / 6, "half": 0.5},
    ),
    "relu by maximum": (Relu(), [("y", Maximum(), "zero", "x")], {"zero": 0}),
    "relu by clip": (Relu(), [("y", Clip(0.0, math.inf), "x")], {}),
}


def written(form: str, before: Op | None = None) -> Graph:
    """Return a graph that writes an activation out, behind a ReLU if ``before`` is one."""
    _, nodes, constants = FORMS[form]
    first = [] if before is None else [("first", before, "x")]
    inner = [(name, op, *("first" if before and v == "x" else v for v in reads)) for name, op, *reads in nodes]
    return net(*first, *inner, **{name: np.full((1,), value, np.float32) for name, value in constants.items()})


@pytest.mark.parametrize("form", FORMS)
def test_every_form(form: str) -> None:
    graph = written(form)
    after = recognize_activations(graph)
    assert [(node.name, node.op, node.inputs) for node in after.nodes] == [("y", FORMS[form][0], ("x",))]
    assert not after.constants
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)) * 3
    np.testing.assert_allclose(evaluate(after, x)["y"], evaluate(graph, x)["y"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_before_stays(form: str) -> None:
    after = recognize_activations(written(form, before=Tanh()))
    assert names(after) == ["first", "y"]
    assert after.nodes[1].inputs == ("first",)


def test_a_convolution_takes_the_activation() -> None:
    graph = net(("c", Conv2d(padding=1), "x", "w"), ("s", Sigmoid(), "c"), ("y", Mul(), "s", "c"), w=(4, 3, 3, 3))
    assert names(optimize(graph)) == ["y"]


def test_constants_may_be_one_for_each_channel_if_they_are_equal() -> None:
    form = [("a", Add(), "x", "three"), ("c", Clip(), "a"), ("y", Mul(), "c", "sixth")]
    same = net(*form, three=np.full((3, 1, 1), 3.0), sixth=np.full((3, 1, 1), 1 / 6))
    assert [node.op for node in recognize_activations(same).nodes] == [HardSigmoid()]
    other = net(*form, three=np.array([3.0, 3.0, 2.0]).reshape(3, 1, 1), sixth=np.full((3, 1, 1), 1 / 6))
    assert recognize_activations(other) is other


@pytest.mark.parametrize(
    "nodes",
    [
        [("f", Mul(), "x", "k"), ("s", Sigmoid(), "f"), ("y", Mul(), "x", "s")],
        [("s", Sigmoid(), "x"), ("y", Mul(), "x", "s"), ("z", Add(), "y", "s")],
        [("s", Sigmoid(), "x"), ("t", Tanh(), "x"), ("y", Mul(), "s", "t")],
        [("a", Relu(), "x"), ("y", Add(), "a", "x")],
        [("y", Mul(), "x", "k")],
    ],
    ids=["quick gelu", "the sigmoid is read elsewhere", "another product", "another sum", "one node"],
)
def test_what_only_looks_like_one(nodes: list[tuple[str, Op, *tuple[str, ...]]]) -> None:
    graph = net(*nodes, k=np.full((1,), 1.702))
    assert recognize_activations(graph) is graph


def test_an_output_in_the_middle_stays() -> None:
    graph = net(("s", Sigmoid(), "x"), ("y", Mul(), "x", "s"), outputs="s y")
    assert recognize_activations(graph) is graph


def test_a_gate_of_another_shape_stays() -> None:
    graph = net(("s", Sigmoid(), "g"), ("y", Mul(), "x", "s"), g=np.zeros((3, 1, 1)))
    assert recognize_activations(graph) is graph
