"""flatten_first."""

from __future__ import annotations

import numpy as np

from cnnfast.graph import Graph, Node, evaluate
from cnnfast.graph.passes import flatten_first
from cnnfast.ops import Flatten, Op, Reshape
from cnnfast.ops.quantized import Dequantize, Quantize

QUANTIZE, DEQUANTIZE = Quantize(0.02, 100), Dequantize(0.02, 100)


def graph_of(*nodes: Node, outputs: tuple[str, ...] = ("out",)) -> Graph:
    return Graph({"x": (1, 6, 6)}, (Node("q", QUANTIZE, ("x",)), *nodes), {}, outputs)


def chain(flatten: Op) -> Graph:
    return graph_of(Node("flat", flatten, ("q",)), Node("out", DEQUANTIZE, ("flat",)))


def test_bytes_are_made_of_flat_floats() -> None:
    for flatten in (Flatten(), Reshape((36,))):
        before = chain(flatten)
        after = flatten_first(before)
        assert [(n.name, n.op, n.inputs) for n in after.nodes] == [
            ("q.flat", flatten, ("x",)),
            ("flat", QUANTIZE, ("q.flat",)),
            ("out", DEQUANTIZE, ("flat",)),
        ]
        x = np.random.default_rng(1).standard_normal((3, 1, 6, 6))
        np.testing.assert_array_equal(evaluate(after, {"x": x})["out"], evaluate(before, {"x": x})["out"])
        assert flatten_first(after) is after


def test_only_where_nothing_else_reads_the_bytes_and_one_axis_is_left() -> None:
    two = graph_of(
        Node("flat", Flatten(), ("q",)), Node("out", DEQUANTIZE, ("flat",)), Node("also", DEQUANTIZE, ("q",)),
        outputs=("out", "also"),
    )  # fmt: skip
    whole = chain(Reshape((6, 6)))
    assert flatten_first(two) is two
    assert flatten_first(whole) is whole
