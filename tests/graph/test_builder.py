"""A graph is built node by node, and what does not fit is refused where it is added."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.errors import GraphError
from cnnfast.graph import GraphBuilder, evaluate
from cnnfast.graph import builder as builder_module
from cnnfast.ops import Add, Flatten, Linear, MaxPool, Relu


def built() -> GraphBuilder:
    builder = GraphBuilder(reserved=["kept"])
    builder.input("x", (2, 4, 4))
    builder.add("pool", MaxPool(2), "x")
    return builder


def test_shapes_are_known_at_once_and_the_graph_computes() -> None:
    builder = built()
    weight = np.arange(8, dtype=np.float64).reshape(1, 8)
    y = builder.add("fc", Linear(), builder.add("flat", Flatten(), "pool"), parameters={"weight": weight})
    assert builder.shapes == {"x": (2, 4, 4), "pool": (2, 2, 2), "flat": (8,), "fc": (1,), "fc.weight": (1, 8)}
    graph = builder.finish(y)
    # numbers of double precision keep it
    assert graph.constants["fc.weight"].dtype == np.float64
    assert not graph.constants["fc.weight"].flags.writeable
    result = evaluate(graph, np.ones((3, 2, 4, 4)))[y]
    assert np.array_equal(result, np.full((3, 1), weight.sum()))


def test_what_no_output_needs_is_left_out() -> None:
    builder = built()
    builder.add("dead", Relu(), "x")
    assert [node.name for node in builder.finish("pool").nodes] == ["pool"]


def test_fresh_names_count_on_and_leave_reserved_ones_alone() -> None:
    builder = built()
    assert builder.fresh("new") == "new"
    names = [builder.add(builder.fresh("kept"), Relu(), "x") for _ in range(3)]
    assert names == ["kept_2", "kept_3", "kept_4"]
    assert builder.rename(1, "kept") == "kept"
    assert "kept_2" not in builder.shapes
    assert builder.nodes[1].name == "kept"


def test_nodes_are_taken_back() -> None:
    builder = built()
    builder.add("relu", Relu(), "pool")
    builder.drop_since(1)
    assert [node.name for node in builder.nodes] == ["pool"]
    assert builder.add("relu", Relu(), "x") == "relu"


@pytest.mark.parametrize(
    ("add", "rule"),
    [
        (lambda b: b.add("pool", Relu(), "x"), "two values are named 'pool'"),
        (lambda b: b.input("pool", (1,)), "two values are named 'pool'"),
        (lambda b: b.constant("pool", np.zeros(1)), "two values are named 'pool'"),
        (lambda b: b.add("y", MaxPool(9), "x"), "leaves nothing|max_?pool"),
        (lambda b: b.add("y", Linear(), "x"), "takes the inputs"),
        (lambda b: b.add("y", Add(), "x", "pool"), "add"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_builder_as_it_was(add: object, rule: str) -> None:
    builder = built()
    before = dict(builder.shapes)
    with pytest.raises(GraphError, match=rule):
        add(builder)  # type: ignore[operator]
    assert builder.shapes == before


def test_the_number_of_nodes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder_module, "MAX_NODES", 1)
    with pytest.raises(GraphError, match="more than 1 nodes"):
        built().add("relu", Relu(), "x")
