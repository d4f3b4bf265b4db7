"""Transposes vanish where they meet their opposite or a dense layer; a network with channels last shows it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast.graph import Graph, GraphBuilder, Node, constant, evaluate, optimize
from cnnfast.graph.passes import push_transposes
from cnnfast.graph.passes.push_transposes import pushed
from cnnfast.ops import (
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalMaxPool,
    LayerNorm,
    Linear,
    Mul,
    Op,
    Pad,
    PRelu,
    ReduceMean,
    Relu,
    Reshape,
    Sigmoid,
    Slice,
    Softmax,
    Transpose,
)

LAST, FIRST = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))
"""To N, H, W, C, and back."""


def kinds(graph: Graph) -> list[type[Op]]:
    return [type(node.op) for node in graph.nodes]


def assert_equal(before: Graph, after: Graph) -> None:
    x = {n: np.random.default_rng(0).standard_normal((2, *shape)) for n, shape in before.inputs.items()}
    (name,) = before.outputs
    np.testing.assert_allclose(evaluate(after, x)[name], evaluate(before, x)[name], rtol=1e-9, atol=1e-9)


def test_a_network_with_channels_last_keeps_no_transpose() -> None:
    """Convolutions between transposes, a residual, a gate, a concat, a flatten and a dense layer."""
    graph = net(
        ("in", LAST, "x"),
        ("a0", FIRST, "in"),
        ("a1", Conv2d(padding=1), "a0", "w"),
        ("a", LAST, "a1"),
        ("biased", Add(), "a", "bias"),
        ("relu", Relu(), "biased"),
        ("sum", Add(), "relu", "in"),
        ("mean", ReduceMean((1, 2)), "sum"),
        ("gate", Sigmoid(), "mean"),
        ("gated", Mul(), "gate", "sum"),
        ("norm", LayerNorm((3,)), "gated", "bias", "bias"),
        ("both", Concat(3), "norm", "in"),
        ("cut", Slice((0, 1, 2), (4, 3, 4)), "both"),
        ("flat", Flatten(), "cut"),
        ("drop", Relu(), "flat"),
        ("y", Linear(), "drop", "fc"),
        w=(3, 3, 3, 3),
        bias=[0.5, -1.0, 1.5],
        fc=(5, 48),
    )
    after = push_transposes(graph)
    assert Transpose not in kinds(after)
    assert_equal(graph, after)
    assert Transpose not in kinds(optimize(graph))


def test_a_pad_and_a_softmax_follow_their_axes() -> None:
    graph = Graph(
        {"x": (3, 5, 4)},
        (
            Node("last", LAST, ("x",)),
            Node("soft", Softmax(3), ("last",)),
            Node("pad", Pad((1, 0, 2, 1), 0.5, channels=(0, 3)), ("soft",)),
            Node("y", FIRST, ("pad",)),
        ),
        {},
        ("y",),
    )
    after = push_transposes(graph)
    assert Transpose not in kinds(after)
    assert_equal(graph, after)


def test_a_transpose_that_must_stay_stays_as_it_was() -> None:
    graph = net(("t", LAST, "x"), ("y", Relu(), "t"))
    assert push_transposes(graph) is graph


def test_axes_of_size_one_move_for_nothing() -> None:
    graph = Graph(
        {"x": (4, 1, 1)},
        (Node("t", LAST, ("x",)), Node("flat", Flatten(), ("t",)), Node("y", Linear(), ("flat", "w"))),
        {"w": constant(np.arange(8.0).reshape(2, 4))},
        ("y",),
    )
    after = push_transposes(graph)
    assert Transpose not in kinds(after)
    assert_equal(graph, after)


@given(seed=seeds())
def test_transposes_before_and_behind_a_random_network_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    inputs = random_inputs(graph, rng)
    turned: list[Node] = []
    for node in graph.nodes:
        if len(graph.shapes[node.name]) == 3 and rng.random() < 0.5:
            turned += [
                Node(f"{node.name}.inner", node.op, node.inputs),
                Node(f"{node.name}.last", LAST, (f"{node.name}.inner",)),
                Node(node.name, FIRST, (f"{node.name}.last",)),
            ]
        else:
            turned.append(node)
    before = Graph(graph.inputs, tuple(turned), graph.constants, graph.outputs)
    after = push_transposes(before)
    expected, actual = evaluate(before, inputs), evaluate(after, inputs)
    for name in before.outputs:
        np.testing.assert_array_equal(actual[name], expected[name])
    left = sum(isinstance(node.op, Transpose) for node in after.nodes)
    assert left <= sum(isinstance(node.op, Transpose) for node in graph.nodes)


def test_flattened_images_and_what_is_computed_of_them_stay_in_place() -> None:
    """Batch-norm, PReLU, arithmetic and a dense layer of a flattened image read their constants in its order."""
    rng = np.random.default_rng(1)
    builder = GraphBuilder()
    x = builder.add("last", LAST, builder.input("x", (3, 4, 5)))
    flat = builder.add("flat", Flatten(), x)
    numbers = {key: rng.uniform(0.5, 1.5, 60) for key in ("scale", "shift", "mean", "var")}
    norm = builder.add("norm", BatchNorm(), flat, parameters=numbers)
    prelu = builder.add("prelu", PRelu(), norm, parameters={"slope": rng.uniform(0.1, 0.9, 60)})
    shifted = builder.add("shifted", Add(), prelu, builder.constant("shift", rng.standard_normal(60)))
    before = builder.finish(builder.add("fc", Linear(), shifted, parameters={"weight": rng.standard_normal((2, 60))}))
    after = push_transposes(before)
    assert kinds(after) == [Flatten, BatchNorm, PRelu, Add, Linear]
    # what alone reads a constant keeps its name
    assert set(after.constants) == set(before.constants)
    assert_equal(before, after)


def test_norms_pools_and_reshapes_are_computed_in_another_order() -> None:
    rng = np.random.default_rng(2)
    builder = GraphBuilder()
    x = builder.add("last", LAST, builder.input("x", (3, 4, 6)))
    numbers = {key: rng.standard_normal((6, 3)) for key in ("scale", "shift")}
    norm = builder.add("norm", LayerNorm((2, 3)), x, parameters=numbers)
    wide = builder.add("wide", Reshape((8, 3, 3)), norm)
    flat = builder.add("flat", Flatten(), wide)
    again = builder.add("again", Reshape((8, 3, 3)), flat)
    before = builder.finish(builder.add("pool", GlobalMaxPool(keep_dims=False), again))
    after = push_transposes(before)
    assert Transpose not in kinds(after)
    assert_equal(before, after)


def test_which_values_are_in_another_order_is_told() -> None:
    builder = GraphBuilder()
    x = builder.add("last", LAST, builder.input("x", (3, 4, 5)))
    flat = builder.add("flat", Flatten(), builder.add("relu", Relu(), x))
    graph, views = pushed(builder.finish(builder.add("fc", Linear(), flat, parameters={"weight": np.ones((2, 60))})))
    assert {name: (view.order, view.volume) for name, view in views.items()} == {
        "relu": ((1, 2, 0), None),
        "flat": ((1, 2, 0), (3, 4, 5)),
    }
    assert graph.shapes["relu"] == (3, 4, 5)
