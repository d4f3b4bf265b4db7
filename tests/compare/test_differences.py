"""Where two sides part: which layers belong together, and how far apart they are."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import Network
from cnnfast.architectures import build
from cnnfast.compare import Comparison, NetworkBackend, compare
from cnnfast.compare.differences import difference, matching
from cnnfast.errors import ConfigError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Sigmoid


def images(count: int = 5) -> Array:
    return np.random.default_rng(0).standard_normal((count, 3, 32, 32)).astype(np.float32)


def changed(graph: Graph, **constants: Array) -> Graph:
    return Graph(graph.inputs, graph.nodes, {**graph.constants, **constants}, graph.outputs)


def found(left: Graph, right: Graph, bound: float = 1e-4) -> Comparison:
    sides = [NetworkBackend(Network.from_graph(graph), "a network") for graph in (left, right)]
    return compare(sides[0], sides[1], (images(), images()), bound)


GRAPH = build("resnet20-cifar", seed=0)


def test_a_network_is_like_itself() -> None:
    same = found(GRAPH, GRAPH)
    assert (same.is_alike, same.first, same.same_top1) == (True, None, 5)
    assert [layer.left for layer in same.layers] == [node.name for node in GRAPH.nodes]
    assert all(layer.size == 0 for layer in same.layers[:-1])
    assert same.output.size < 1e-6


def test_the_first_changed_layer_is_named() -> None:
    weight = GRAPH.constants["layer2.1.conv2.weight"].copy()
    weight[3, 4, 1, 1] += 0.1
    other = found(GRAPH, changed(GRAPH, **{"layer2.1.conv2.weight": weight}))
    assert not other.is_alike
    assert other.first is not None
    assert (other.first.left, other.first.kind, other.first.shape) == ("layer2.1.conv2", "conv2d", (32, 16, 16))
    assert other.first.place[0] == 3


def test_the_size_of_a_difference() -> None:
    ours, theirs = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    ours[1, 2], theirs[0, 0] = 1, -4
    ours[0, 0] = -4
    worst = difference("a", "b", ("relu", (3,)), ours, theirs)
    assert (worst.size, worst.image, worst.place, worst.values) == (0.25, 1, (2,), (1.0, 0.0))
    ours[0, 1] = np.nan
    assert np.isnan(difference("a", "b", ("relu", (3,)), ours, theirs).size)
    ours[:], theirs[:] = np.inf, np.inf
    assert difference("a", "b", ("relu", (3,)), ours, theirs).size == 0


def test_not_a_number_is_a_difference() -> None:
    weight = GRAPH.constants["linear.weight"].copy()
    weight[0, 0] = np.nan
    other = found(GRAPH, changed(GRAPH, **{"linear.weight": weight}))
    assert other.first is not None
    assert other.first.left == "linear"
    assert not other.is_alike


def renamed(graph: Graph) -> Graph:
    """Return the same network with other names."""
    name = {node.name: f"n{i}" for i, node in enumerate(graph.nodes)}
    nodes = tuple(Node(name[n.name], n.op, tuple(name.get(v, v) for v in n.inputs)) for n in graph.nodes)
    return Graph(graph.inputs, nodes, graph.constants, tuple(name[v] for v in graph.outputs))


def test_layers_of_other_names_are_matched_in_order() -> None:
    graph = build("lenet", seed=0)
    other = renamed(graph)
    sides = [NetworkBackend(Network.from_graph(g), "a network") for g in (graph, other)]
    assert matching(*sides) == [(a.name, b.name) for a, b in zip(graph.nodes, other.nodes, strict=True)]
    longer = Graph(other.inputs, (*other.nodes, Node("end", Sigmoid(), other.outputs)), other.constants, ("end",))
    pairs = matching(sides[0], NetworkBackend(Network.from_graph(longer), "a network"))
    assert pairs[-1] == ("fc3", "end")
    assert ("conv2", "n3") in pairs
    assert not found(graph, longer).is_alike


def test_outputs_must_have_one_size() -> None:
    with pytest.raises(ConfigError, match=r"gives \(10,\) and a network \(9,\)"):
        found(GRAPH, build("resnet20-cifar", classes=9, seed=0))
