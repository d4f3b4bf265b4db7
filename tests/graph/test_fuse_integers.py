"""What makes bytes of the sums of an integer layer is fused into it, and no byte changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast.graph import Graph, Node, evaluate, optimize
from cnnfast.graph.passes import fuse_integers
from cnnfast.ops import Fused, MaxPool
from cnnfast.ops.quantized import (
    Dequantize,
    DequantizeSums,
    IntegerConv2d,
    Quantize,
    Requantize,
    RequantizeAdd,
)

POOL = MaxPool(2)


def graph_of(*nodes: Node, outputs: tuple[str, ...] = ("out",)) -> Graph:
    rng = np.random.default_rng(3)
    constants = {
        "w": rng.integers(-127, 128, (4, 4, 3, 3), dtype=np.int8),
        "b": rng.integers(-999, 999, 4, dtype=np.int32),
        "u": rng.uniform(1e-4, 1e-3, 4).astype(np.float32),
    }
    head = (Node("q", Quantize(0.02, 100), ("x",)), Node("s", IntegerConv2d(100, padding=1), ("q", "w", "b")))
    read = {value for node in (*head, *nodes) for value in node.inputs}
    return Graph({"x": (4, 6, 6)}, (*head, *nodes), {k: v for k, v in constants.items() if k in read}, outputs)


ROUND, OUT = Node("y", Requantize(0.03, 40, low=40), ("s", "u")), Dequantize(0.03, 40)
ADD = Node("y", RequantizeAdd(0.03, 40, 0.02, 100), ("s", "q", "u"))


@pytest.mark.parametrize(
    ("nodes", "tail"),
    [
        ((ROUND, Node("out", OUT, ("y",))), (ROUND.op,)),
        ((ROUND, Node("p", POOL, ("y",)), Node("out", OUT, ("p",))), (ROUND.op, POOL)),
        ((ADD, Node("out", OUT, ("y",))), (ADD.op,)),
        ((Node("out", DequantizeSums(), ("s", "u")),), (DequantizeSums(),)),
        ((ROUND, Node("p", MaxPool(3, stride=2), ("y",)), Node("out", OUT, ("p",))), (ROUND.op,)),
        ((ROUND, Node("p", MaxPool(2, padding=1), ("y",)), Node("out", OUT, ("p",))), (ROUND.op,)),
    ],
    ids=str,
)
def test_what_is_joined(nodes: tuple[Node, ...], tail: tuple[Any, ...]) -> None:
    graph = graph_of(*nodes)
    fused = fuse_integers(graph)
    (joined,) = [node.op for node in fused.nodes if isinstance(node.op, Fused)]
    assert joined.tail == tail
    assert fused.dtypes["out"] == "float32"
    assert len(fused.nodes) == len(graph.nodes) - len(tail)
    x = np.random.default_rng(4).normal(size=(3, 4, 6, 6))
    np.testing.assert_array_equal(evaluate(fused, x)["out"], evaluate(graph, x)["out"])
    assert fuse_integers(fused) is fused
    optimized = optimize(graph)
    np.testing.assert_array_equal(evaluate(optimized, x)["out"], evaluate(graph, x)["out"])


def test_sums_that_are_read_twice_stay() -> None:
    other = Node("z", Requantize(0.5, 1), ("s", "u"))
    graph = graph_of(ROUND, other, Node("out", OUT, ("y",)), Node("more", OUT, ("z",)), outputs=("out", "more"))
    assert fuse_integers(graph) is graph


def test_a_pool_whose_bytes_are_read_before_it_stays() -> None:
    nodes = (ROUND, Node("p", POOL, ("y",)), Node("out", OUT, ("p",)), Node("more", OUT, ("y",)))
    fused = fuse_integers(graph_of(*nodes, outputs=("out", "more")))
    assert [type(node.op).__name__ for node in fused.nodes] == [
        "Quantize",
        "Fused",
        "MaxPool",
        "Dequantize",
        "Dequantize",
    ]
