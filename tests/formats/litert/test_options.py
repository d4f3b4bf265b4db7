"""Every field of every table of options: used, or refused where it differs from its default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")

import flatbuffers
import tflite
from formats.litert.crafted import Operator, Tensor, model_bytes

from cnnfast.errors import CnnfastError, UnsupportedError
from cnnfast.formats import load_model
from cnnfast.formats.litert import network  # noqa: F401  (it enters the operators)
from cnnfast.formats.litert.operator_call import OPERATORS
from cnnfast.formats.litert.options import TABLE_OF, TABLES, Tables, fields_of
from cnnfast.graph import evaluate
from cnnfast.ops import Array

X = np.random.default_rng(3).normal(0, 3, (2, 3, 4, 6))
"""Two images (C, H, W)."""

RNG = np.random.default_rng(4)


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


def reals(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


WINDOW = {"Padding": 1, "StrideH": 2, "StrideW": 2}
DILATED = WINDOW | {"DilationHFactor": 1, "DilationWFactor": 1}
POOL = WINDOW | {"FilterHeight": 2, "FilterWidth": 2}
HALF = (1, 2, 3, 3)

SMALL: dict[str, tuple[list[Array], tuple[int, ...], dict[str, Any]]] = {
    "CONV_2D": ([reals(5, 2, 2, 3)], (1, 2, 3, 5), DILATED),
    "DEPTHWISE_CONV_2D": ([reals(1, 2, 2, 6)], (1, 2, 3, 6), DILATED | {"DepthMultiplier": 2}),
    "AVERAGE_POOL_2D": ([], HALF, POOL),
    "MAX_POOL_2D": ([], HALF, POOL),
    "FULLY_CONNECTED": ([reals(5, 72)], (1, 5), {}),
    "BATCH_MATMUL": ([reals(3, 3)], (1, 4, 6, 3), {}),
    "ADD": ([reals(3)], (1, 4, 6, 3), {}),
    "SUB": ([reals(3)], (1, 4, 6, 3), {}),
    "MUL": ([reals(3)], (1, 4, 6, 3), {}),
    "DIV": ([reals(3)], (1, 4, 6, 3), {}),
    "CONCATENATION": ([], (1, 4, 6, 6), {"Axis": 3}),
    "SOFTMAX": ([], (1, 4, 6, 3), {"Beta": 1.0}),
    "LEAKY_RELU": ([], (1, 4, 6, 3), {"Alpha": 0.25}),
    "GELU": ([], (1, 4, 6, 3), {}),
    "CAST": ([], (1, 4, 6, 3), {}),
    "RESHAPE": ([], (1, 8, 9), {"NewShape": [-1, 8, 9]}),
    "SQUEEZE": ([], (1, 24, 3), {"SqueezeDims": [1]}),
    "SPLIT": ([], (1, 4, 6, 3), {"NumSplits": 1}),
    "STRIDED_SLICE": ([ints(0, 1, 2, 0), ints(1, 3, 4, 2), ints(1, 1, 1, 1)], (1, 2, 2, 2), {}),
    "MIRROR_PAD": ([ints(0, 0, 1, 1, 2, 2, 0, 0).reshape(4, 2)], (1, 6, 10, 3), {}),
    "MEAN": ([ints(1, 2)], (1, 3), {}),
    "SUM": ([ints(1, 2)], (1, 3), {}),
    "REDUCE_MAX": ([ints(1, 2)], (1, 3), {}),
    "REDUCE_MIN": ([ints(1, 2)], (1, 3), {}),
    "RESIZE_BILINEAR": ([ints(8, 9)], (1, 8, 9, 3), {}),
    "RESIZE_NEAREST_NEIGHBOR": ([ints(7, 9)], (1, 7, 9, 3), {}),
}
"""A network of one operator for each table: constants behind the images, shape of the result, fields."""

WITHOUT_EFFECT = {
    ("Conv2DOptions", "QuantizedBiasType"): "the type of sums of integers",
    ("FullyConnectedOptions", "QuantizedBiasType"): "the type of sums of integers",
    ("FullyConnectedOptions", "AsymmetricQuantizeInputs"): "how an interpreter makes integers of floats",
    ("BatchMatMulOptions", "AsymmetricQuantizeInputs"): "how an interpreter makes integers of floats",
    ("AddOptions", "PotScaleInt16"): "how integers of 16 bits are scaled",
    ("SubOptions", "PotScaleInt16"): "how integers of 16 bits are scaled",
    ("CastOptions", "InDataType"): "LiteRT goes by the types of the tensors",
    ("CastOptions", "OutDataType"): "LiteRT goes by the types of the tensors",
}
"""Fields that may be anything, each with the reason."""

INPUTS = {"SQUEEZE": (1, 1, 24, 3)}
"""What the images are where they are not (4, 6, 3)."""

FIELDS = [(kind, field) for kind in SMALL for field in fields_of(getattr(tflite, TABLE_OF[kind]))]


def result(folder: Path, kind: str, **changes: Any) -> Array | None:
    """Return what a network of one operator computes, None if it is refused."""
    constants, shape, options = SMALL[kind]
    images = INPUTS.get(kind, (1, 4, 6, 3))
    tensors = [Tensor("x", images), *(Tensor(f"c{i}", c.shape, c) for i, c in enumerate(constants))]
    tensors += [Tensor("axis", (), ints(1)), Tensor("y", shape)]
    inputs = {"CONCATENATION": [0, 0], "SPLIT": [1, 0]}.get(kind, range(1 + len(constants)))
    operator = Operator(kind, list(inputs), [len(tensors) - 1], TABLE_OF[kind], options | changes)
    path = folder / "net.tflite"
    path.write_bytes(model_bytes(tensors, [operator]))
    try:
        model = load_model(path, preprocess="raw")
    except CnnfastError:
        return None
    return evaluate(model.graph, X.reshape(2, 3, *images[1:3]))[model.graph.outputs[0]]


class OneOperator:
    """What the compiled schema gives for an operator with a table of options."""

    def __init__(self, table: Any, number: int) -> None:
        self._table = table
        self._number = number

    def BuiltinOptions(self) -> Any:
        return self._table

    def BuiltinOptionsType(self) -> int:
        return self._number


def test_a_network_stands_for_every_table() -> None:
    assert set(SMALL) == set(TABLE_OF) <= set(OPERATORS)


@pytest.mark.parametrize("kind", sorted(set(OPERATORS) - set(TABLE_OF)))
def test_operators_without_a_table_have_no_fields(kind: str) -> None:
    """The schema names a table after its operator, some tables stand for several."""
    own = f"{kind.replace('_', '')}options".lower()
    tables = [name for name in vars(tflite.BuiltinOptions) if name.lower() == own]
    assert [field for name in tables for field in fields_of(getattr(tflite, name))] == []


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_no_field_is_dropped(kind: str, field: str, tmp_path: Path) -> None:
    default = Tables(tflite).read(kind, OneOperator(None, 0))[field]
    now = SMALL[kind][2].get(field, default)
    base = result(tmp_path, kind)
    assert base is not None
    values: list[Any] = (
        [[7], [1, 72]] if isinstance(default, tuple) else [0, 1] + ([] if isinstance(default, bool) else [2, 3, 7])
    )
    others = [result(tmp_path, kind, **{field: value}) for value in values if value != now]
    unnoticed = [other for other in others if other is not None and np.array_equal(other, base)]
    if (TABLE_OF[kind], field) in WITHOUT_EFFECT:
        assert len(unnoticed) == len(others)
    else:
        # a value may change nothing by chance, as a mask of an axis of which all is taken; none may be ignored
        assert len(unnoticed) <= len(others) // 2, f"{field} is ignored"


def test_every_exception_is_a_field() -> None:
    known = {(table, field) for table in TABLES for field in fields_of(getattr(tflite, table))}
    assert set(WITHOUT_EFFECT) <= known


def test_a_field_that_nobody_asked_for_is_named(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3)), Tensor("y", (1, 3))]
    operator = Operator("RELU", [0], [1], "LeakyReluOptions", {"Alpha": 0.5})
    path = tmp_path / "net.tflite"
    path.write_bytes(model_bytes(tensors, [operator]))
    with pytest.raises(UnsupportedError, match=r"'y' \(RELU\): its option Alpha of LeakyReluOptions is 0.5"):
        load_model(path)


def test_options_of_another_operator_are_an_error(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3)), Tensor("y", (1, 3))]
    path = tmp_path / "net.tflite"
    path.write_bytes(model_bytes(tensors, [Operator("SOFTMAX", [0], [1], "LeakyReluOptions", {"Alpha": 0.5})]))
    with pytest.raises(CnnfastError, match="SOFTMAX has the options LeakyReluOptions; it must have SoftmaxOptions"):
        load_model(path)


def test_a_field_of_a_newer_schema_is_refused() -> None:
    b = flatbuffers.Builder(0)
    b.StartObject(4)
    b.PrependInt8Slot(3, 1, 0)
    b.Finish(b.EndObject())
    table = tflite.GeluOptions.GetRootAs(bytes(b.Output()), 0)._tab
    options = Tables(tflite).read("GELU", OneOperator(table, tflite.BuiltinOptions.GeluOptions))
    with pytest.raises(UnsupportedError, match="1 fields that are newer than the package tflite"):
        options.check_all_used()
