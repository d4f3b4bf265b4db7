"""The reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from random_graphs import random_graph, random_inputs, seeds

from cnnfast.graph import Graph, Node, constant, evaluate
from cnnfast.ops import Add, Concat, Linear, PRelu, Relu

TWO_LAYERS = Graph(
    {"x": (2,)},
    (
        Node("hidden", Linear(), ("x", "w1", "b1")),
        Node("relu", Relu(), ("hidden",)),
        Node("y", Linear(), ("relu", "w2")),
    ),
    {"w1": constant([[1, 2], [3, -4]]), "b1": constant([0.5, 0]), "w2": constant([[1, 1]])},
    ("y",),
)


def test_every_value_is_returned() -> None:
    values = evaluate(TWO_LAYERS, np.array([[1.0, 1.0], [1.0, 0.0]]))
    assert list(values) == ["x", "hidden", "relu", "y"]
    np.testing.assert_array_equal(values["hidden"], [[3.5, -1], [1.5, 3]])
    np.testing.assert_array_equal(values["y"], [[3.5], [4.5]])


def test_arithmetic_is_done_in_the_dtype_asked_for() -> None:
    x = np.ones((1, 2), np.float32)
    assert evaluate(TWO_LAYERS, x)["y"].dtype == np.float64
    assert evaluate(TWO_LAYERS, x, np.float32)["y"].dtype == np.float32


def test_inputs_by_name() -> None:
    graph = Graph({"a": (2,), "b": (2,)}, (Node("y", Add(), ("a", "b")),), {}, ("y",))
    values = evaluate(graph, {"a": np.ones((3, 2)), "b": np.full((3, 2), 2.0)})
    np.testing.assert_array_equal(values["y"], np.full((3, 2), 3.0))
    with pytest.raises(ValueError, match="unpack"):
        evaluate(graph, np.ones((3, 2)))


def test_a_constant_in_the_place_of_an_activation_serves_every_image() -> None:
    nodes = (
        Node("slope_is_a_parameter", PRelu(), ("x", "slopes")),
        Node("joined", Concat(), ("slope_is_a_parameter", "more")),
        Node("y", Add(), ("bias", "joined")),
    )
    constants = {"slopes": constant([2, 3]), "more": constant([7]), "bias": constant([1, 1, 1])}
    values = evaluate(Graph({"x": (2,)}, nodes, constants, ("y",)), np.array([[-1.0, -1.0], [4.0, 5.0]]))
    np.testing.assert_array_equal(values["y"], [[-1, -2, 8], [5, 6, 8]])


def test_a_constant_with_more_axes_than_the_value_it_is_added_to() -> None:
    graph = Graph({"x": (4,)}, (Node("y", Add(), ("x", "c")),), {"c": constant(np.zeros((2, 3, 1)))}, ("y",))
    assert evaluate(graph, np.ones((5, 4)))["y"].shape == (5, 2, 3, 4)


@given(seeds())
def test_shapes_are_those_that_the_graph_inferred(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    values = evaluate(graph, random_inputs(graph, rng, images=3))
    for name, value in values.items():
        assert value.shape[1:] == graph.shapes[name]
        assert np.isfinite(value).all()
    assert all(len(values[name]) in (1, 3) for name in values)


@given(seeds())
def test_images_do_not_see_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    x = random_inputs(graph, rng, images=3)["x"]
    together, alone = evaluate(graph, x), evaluate(graph, x[1:2])
    for name in graph.outputs:
        np.testing.assert_allclose(together[name][1:2], alone[name], rtol=1e-10, atol=1e-10)
