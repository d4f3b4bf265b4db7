"""What the ops on integers refuse: attributes, shapes, dtypes, sums that could leave 32 bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import Graph, Node, evaluate
from cnnfast.ops import Concat, Flatten, MaxPool, Op, Relu, decode_op
from cnnfast.ops.quantized import (
    QUANTIZED_OPS,
    Dequantize,
    DequantizeSums,
    Grid,
    IntegerConv2d,
    IntegerLinear,
    Lookup,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool,
    QuantizedGlobalAvgPool,
    QuantizedMul,
    Requantize,
    RequantizeAdd,
    check_sums,
)
from cnnfast.plan.plan import make_plan

EXAMPLES: tuple[Op, ...] = (
    Quantize(0.1, 3),
    Dequantize(0.1, 3),
    DequantizeSums(),
    IntegerConv2d(3, stride=2, padding=(1, 2), groups=2),
    IntegerLinear(9),
    Requantize(0.1, 3, low=3, high=99),
    RequantizeAdd(0.1, 3, 0.2, 4, low=3),
    QuantizedAdd(0.1, 3, 0.2, 4, 0.3, 5),
    QuantizedMul(0.1, 3, 0.2, 4, 0.3, 5, high=200),
    QuantizedAvgPool(0.1, 3, 0.2, 4, kernel=3, stride=2, padding=1),
    QuantizedGlobalAvgPool(0.1, 3, 0.2, 4, keep_dims=False),
    Lookup(0.1, 3),
)


def test_there_is_an_example_of_every_op() -> None:
    assert {op.name for op in EXAMPLES} == set(QUANTIZED_OPS)


@pytest.mark.parametrize("op", EXAMPLES, ids=lambda op: op.name)
def test_attributes_become_json_and_come_back(op: Op) -> None:
    assert decode_op(op.name, json.loads(json.dumps(op.attributes()))) == op


SCALE_AND_ZERO = [
    {"scale": 0.0},
    {"scale": -1.0},
    {"scale": float("nan")},
    {"scale": float("inf")},
    {"scale": 1e-39},
    {"scale": 1e39},
    {"scale": "1"},
    {"zero": -1},
    {"zero": 256},
    {"zero": 1.5},
]
LIMITS: list[dict[str, Any]] = [{"low": -1}, {"high": 256}, {"low": 9, "high": 8}]


@pytest.mark.parametrize("op", EXAMPLES, ids=lambda op: op.name)
def test_attributes_out_of_range_are_refused(op: Op) -> None:
    attributes = op.attributes()
    wrong: list[dict[str, Any]] = []
    if "scale" in attributes:
        wrong += SCALE_AND_ZERO
    if "low" in attributes:
        wrong += LIMITS
    for letter in "xabr":
        if f"{letter}_scale" in attributes:
            wrong += [{f"{letter}_{name}": value for name, value in entry.items()} for entry in SCALE_AND_ZERO]
    if "x_zero" in attributes:
        wrong += [{"x_zero": -1}, {"x_zero": 256}]
    assert wrong or not attributes
    for change in wrong:
        with pytest.raises(GraphError, match=next(iter(change))):
            type(op)(**{**attributes, **change})


def test_scales_that_are_too_far_apart_are_refused() -> None:
    with pytest.raises(GraphError, match="too far apart"):
        QuantizedAdd(1e-30, 0, 1e30, 0, 1.0, 0)
    with pytest.raises(GraphError, match="too far apart"):
        Requantize(1e30, 0).reference(np.ones((1, 1), np.int32), np.array([1e-20], np.float32))
    with pytest.raises(GraphError, match="too far apart"):
        Quantize(3e38, 0)


def test_scales_are_float32() -> None:
    assert Quantize(0.1, 0).scale == float(np.float32(0.1))
    assert Grid(0.1, 7).limits == (-7 * float(np.float32(0.1)), 248 * float(np.float32(0.1)))


def test_shapes_that_do_not_fit_are_refused() -> None:
    for op, shapes in (
        (Requantize(1.0, 0), [(4, 2, 2), (3,)]),
        (RequantizeAdd(1.0, 0, 1.0, 0), [(4, 2, 2), (4, 2, 1), (4,)]),
        (DequantizeSums(), [(4,), (4, 1)]),
        (Lookup(1.0, 0), [(4, 2, 2), (3, 256)]),
        (Lookup(1.0, 0), [(4, 2, 2), (255,)]),
        (IntegerConv2d(0), [(3, 4, 4), (2, 4, 3, 3), (2,)]),
        (QuantizedGlobalAvgPool(1.0, 0, 1.0, 0), [(1, 3000, 3000)]),
    ):
        with pytest.raises(GraphError):
            op.shape(*shapes)
    for wrong, rule in (
        (dict(halves="down"), "halves of quantized_avg_pool must be one of even, up, out"),
        (dict(halves="out", x_zero=1), "same scale and zero point"),
        (dict(halves="up", count_padding=True), "padding that does not count"),
        (dict(halves="up", kernel=21), "at most 400 pixels, but it has 441"),
    ):
        with pytest.raises(GraphError, match=rule):
            QuantizedAvgPool(**{**dict(scale=1.0, zero=0, x_scale=1.0, x_zero=0, kernel=2), **wrong})
    with pytest.raises(GraphError, match="larger than int32"):
        QuantizedAvgPool(1.0, 0, 1.0, 0, kernel=3000)


def test_sums_that_could_leave_32_bits_are_refused() -> None:
    weight = np.full((2, 1 << 16), 127, np.int8)
    weight[0] = 1
    bias = np.zeros(2, np.int32)
    check_sums("fc", weight, bias, zero=0)
    with pytest.raises(GraphError, match=r"sums of fc could reach \d+ in channel 1"):
        check_sums("fc", weight, bias, zero=128)
    with pytest.raises(GraphError, match="int32"):
        IntegerLinear(128).reference(np.zeros((1, 1 << 16), np.uint8), weight, bias)
    with pytest.raises(GraphError, match="-128"):
        check_sums("fc", np.array([[-128]], np.int8), np.array([0], np.int32), zero=0)


def layer(nodes: tuple[Node, ...], output: str, **changed: Any) -> Graph:
    constants = {
        "w": np.ones((2, 3), np.int8),
        "b": np.zeros(2, np.int32),
        "u": np.ones(2, np.float32),
        "table": np.arange(256, dtype=np.uint8),
    }
    return Graph({"x": (3,)}, nodes, constants | changed, (output,))


Q, SUMS = Node("q", Quantize(1.0, 0), ("x",)), Node("s", IntegerLinear(0), ("q", "w", "b"))
WHOLE = (Q, SUMS, Node("y", Requantize(1.0, 0), ("s", "u")), Node("out", Dequantize(1.0, 0), ("y",)))


def test_every_value_has_a_dtype() -> None:
    graph = layer(WHOLE, "out")
    assert dict(graph.dtypes) == {"x": "float32", "q": "uint8", "s": "int32", "y": "uint8", "out": "float32"}
    values = evaluate(graph, np.array([[1, 2, 300.0]]))
    assert {name: value.dtype.name for name, value in values.items()} == {
        **graph.dtypes,
        "x": "float64",
        "out": "float64",
    }
    assert values["out"].tolist() == [[255.0, 255.0]]


@pytest.mark.parametrize(
    ("nodes", "output", "changed", "message"),
    [
        ((Node("s", IntegerLinear(0), ("x", "w", "b")),), "s", {}, "node 's': integer_linear reads x as uint8"),
        ((Q, SUMS), "s", {"w": np.ones((2, 3), np.float32)}, "reads weight as int8, but it is float32"),
        ((Q, SUMS), "s", {"b": np.zeros(2, np.int64)}, "reads bias as int32, but it is int64"),
        ((Q, Node("y", Relu(), ("q",))), "y", {}, "node 'y': relu reads float32, but gets uint8"),
        ((Q, Node("y", Requantize(1.0, 0), ("q", "u3"))), "y", {"u3": np.ones(3, np.float32)}, "reads sums as int32"),
        ((Q, SUMS, Node("y", Flatten(), ("s",))), "y", {}, "gets int32; put a dequantize"),
        ((Q, Node("y", Concat(), ("q", "x"))), "y", {}, "concat reads float32, but gets uint8"),
        ((Q, Node("y", Quantize(1.0, 0), ("q",))), "y", {}, "quantize reads x as float32, but it is uint8"),
    ],
    ids=str,
)
def test_a_dtype_that_an_op_does_not_read_is_refused(
    nodes: tuple[Node, ...], output: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        layer(nodes, output, **changed)


def test_what_moves_and_selects_takes_bytes_and_keeps_them() -> None:
    nodes = (
        Node("q", Quantize(1.0, 7), ("x",)),
        Node("pool", MaxPool(3, stride=2, padding=1), ("q",)),
        Node("both", Concat(), ("pool", "pool")),
        Node("flat", Flatten(), ("both",)),
        Node("y", Dequantize(1.0, 7), ("flat",)),
    )
    graph = Graph({"x": (2, 4, 4)}, nodes, {}, ("y",))
    assert {name for name, dtype in graph.dtypes.items() if dtype == "uint8"} == {"q", "pool", "both", "flat"}
    x = np.random.default_rng(0).integers(-7, 200, (3, 2, 4, 4)).astype(np.float64)
    values = evaluate(graph, x)
    pooled = MaxPool(3, stride=2, padding=1).reference(x)
    np.testing.assert_array_equal(values["y"], np.concatenate([pooled, pooled], axis=1).reshape(3, -1))


def test_a_window_of_padding_alone_is_zero() -> None:
    op = MaxPool(2, padding=2, dilation=3)
    assert np.isneginf(op.reference(np.full((1, 1, 1, 1), 9.0))).any()
    y = op.reference(np.full((1, 1, 1, 1), 9, np.uint8))
    assert y.dtype == np.uint8
    assert set(y.ravel().tolist()) <= {0, 9}
    assert 0 in y


def test_the_naive_kernels_have_none_for_integers_and_say_so() -> None:
    with pytest.raises(UnsupportedError, match="no kernel for integer_linear"):
        make_plan(layer(WHOLE, "out"), "nchw")
