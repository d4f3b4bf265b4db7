"""The graph: what it refuses, the order of its nodes, and that size does not hurt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs

from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.ir import MAX_ELEMENTS
from cnnfast.ops import Add, Concat, Conv2d, Cost, Flatten, Identity, Linear, Mul, Pad, Relu, Sigmoid, Softmax

X = {"x": (3, 4, 4)}


def relu(name: str, value: str) -> Node:
    return Node(name, Relu(), (value,))


def small() -> Graph:
    """Two branches, in no good order."""
    nodes = (
        Node("sum", Add(), ("left", "right")),
        Node("conv", Conv2d(padding=1), ("x", "weight", "bias")),
        relu("left", "conv"),
        Node("right", Sigmoid(), ("conv",)),
    )
    constants = {"weight": constant(np.ones((2, 3, 3, 3))), "bias": constant(np.ones(2))}
    return Graph(X, nodes, constants, ("sum",))


def test_nodes_are_sorted_and_keep_their_order_where_they_can() -> None:
    assert [node.name for node in small().nodes] == ["conv", "left", "right", "sum"]


def test_what_a_graph_knows() -> None:
    graph = small()
    assert graph.shapes["sum"] == (2, 4, 4)
    assert graph.shapes["bias"] == (2,)
    assert [node.name for node in graph.consumers["conv"]] == ["left", "right"]
    assert graph.consumers["sum"] == ()
    assert graph.input_shapes(graph.by_name["conv"]) == [(3, 4, 4), (2, 3, 3, 3), (2,)]
    assert graph.cost(graph.by_name["conv"]) == Cost(2 * 27 * 16, 4 * 27 * 16)
    assert graph.parameter_count(graph.by_name["conv"]) == 2 * 27 + 2
    assert graph.parameter_count(graph.by_name["sum"]) == 0


def test_a_node_that_reads_a_value_twice_is_one_consumer() -> None:
    graph = Graph(X, (Node("square", Mul(), ("x", "x")),), {}, ("square",))
    assert len(graph.consumers["x"]) == 1


def test_a_graph_cannot_be_changed() -> None:
    graph = small()
    with pytest.raises(TypeError):
        graph.constants["bias"] = constant([0, 0])  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        graph.constants["bias"][0] = 1
    with pytest.raises(AttributeError):
        graph.outputs = ("conv",)  # type: ignore[misc]


def test_constant_copies() -> None:
    mine = np.arange(6.0).reshape(2, 3).T
    kept = constant(mine)
    mine[:] = 0
    assert kept.sum() == 15
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous


def test_cut_keeps_what_is_needed() -> None:
    cut = small().cut(["left"])
    assert [node.name for node in cut.nodes] == ["conv", "left"]
    assert set(cut.constants) == {"weight", "bias"}
    assert cut.outputs == ("left",)
    assert small().cut(["x"]).nodes == ()
    with pytest.raises(GraphError, match=r"no value 'pool'; the nodes are: conv"):
        small().cut(["pool"])


REFUSED = [
    ([relu("x", "x")], ("x",), "two values are named 'x'"),
    ([relu("y", "x"), relu("y", "x")], ("y",), "two values are named 'y'"),
    ([relu("w", "x")], ("w",), "two values are named 'w'"),
    ([relu("", "x")], ("x",), "must have a name"),
    ([relu("y", "z")], ("y",), "node 'y' .relu. reads 'z', which nothing provides"),
    ([relu("y", "x")], ("z",), "the output 'z' is not a value"),
    ([relu("y", "x")], (), "must have an output"),
    ([Node("y", Relu(), ("x", "x"))], ("y",), "relu takes the inputs"),
    ([Node("y", Concat(), ())], ("y",), "concat takes the inputs"),
    ([Node("y", Linear(), ("x", "x"))], ("y",), "its parameter 'x' must be a constant"),
    ([Node("y", Linear(), ("x", "w"))], ("y",), "node 'y': linear needs an input of shape"),
    ([relu("y", "y")], ("y",), "cycle through: y"),
    ([relu("a", "b"), relu("b", "c"), relu("c", "a"), relu("d", "x")], ("d",), "cycle through: a, b, c"),
    ([Node("y", Pad(1 << 20), ("x",))], ("y",), "at most"),
    ([Node("y", Conv2d(), ("x", "k"))], ("y",), "every size must be positive"),
]


@pytest.mark.parametrize(("nodes", "outputs", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_what_a_graph_refuses(nodes: list[Node], outputs: tuple[str, ...], message: str) -> None:
    constants = {"w": constant(np.ones((2, 5))), "k": constant(np.ones((1, 3, 7, 7)))}
    with pytest.raises(GraphError, match=message):
        Graph(X, tuple(nodes), constants, outputs)


@pytest.mark.parametrize("shape", [(), (0,), (3, -1, 4), (MAX_ELEMENTS + 1,), (2.0, 3), ("3",)], ids=str)
def test_input_shapes_that_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match="every size must be a positive integer"):
        Graph({"x": shape}, (relu("y", "x"),), {}, ("y",))


def test_values_too_large_are_refused_before_any_memory_is_taken() -> None:
    wide = {"a": (1 << 20, 1, 1), "b": (1, 1 << 20, 1)}
    with pytest.raises(GraphError, match="at most"):
        Graph(wide, (Node("y", Add(), ("a", "b")),), {}, ("y",))


def chain(length: int) -> tuple[Node, ...]:
    return tuple(relu(f"n{i + 1}", f"n{i}") for i in range(length))


def test_a_long_chain_in_the_worst_order_takes_seconds_not_hours() -> None:
    nodes = chain(19_999)[::-1]
    graph = Graph({"n0": (3,)}, nodes, {}, ("n19999",))
    assert graph.nodes == nodes[::-1]
    assert len(graph.cut(["n10000"]).nodes) == 10_000
    with pytest.raises(GraphError, match="cycle"):
        Graph({"x": (3,)}, (*nodes, relu("n0", "n19999")), {}, ("n1",))


def test_many_readers_of_one_value() -> None:
    nodes = tuple(relu(f"y{i}", "x") for i in range(19_999))
    everything = Node("all", Concat(), tuple(node.name for node in nodes))
    assert Graph({"x": (3,)}, (everything, *nodes), {}, ("all",)).shapes["all"] == (59_997,)


@given(graphs(), st.randoms(use_true_random=False))
def test_sorting_any_order_gives_a_topological_order(graph: Graph, random: object) -> None:
    nodes = list(graph.nodes)
    random.shuffle(nodes)  # type: ignore[attr-defined]
    again = Graph(graph.inputs, tuple(nodes), graph.constants, graph.outputs)
    known = {*again.inputs, *again.constants}
    for node in again.nodes:
        assert known.issuperset(node.inputs)
        known.add(node.name)
    assert again.shapes == graph.shapes


def test_ops_that_need_no_parameters_make_a_network() -> None:
    nodes = (Node("i", Identity(), ("x",)), Node("f", Flatten(), ("i",)), Node("p", Softmax(), ("f",)))
    assert Graph(X, nodes, {}, ("p",)).shapes["p"] == (48,)
