"""Files that ONNX Runtime has quantized, computed with their integers: within one step of its own results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
import onnxruntime
from onnxruntime import quantization

from cnnfast import Network
from cnnfast.errors import CnnfastError, UnsupportedError
from cnnfast.graph import evaluate
from cnnfast.ops import Array
from cnnfast.ops.quantized import Dequantize

SHAPE = (3, 12, 12)
WEIGHTS = {
    "w1": (8, 3, 3, 3),
    "b1": (8,),
    "wd": (8, 1, 3, 3),
    "w2": (8, 8, 3, 3),
    "w3": (10, 16, 1, 1),
    "wf": (5, 10),
    "bf": (5,),
}
NODES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("Conv", "x w1 b1", "a", {"pads": [1, 1, 1, 1]}),
    ("Relu", "a", "ar", {}),
    ("Conv", "ar wd", "d", {"pads": [1, 1, 1, 1], "group": 8}),
    ("Clip", "d zero six", "dr", {}),
    ("Conv", "dr w2", "c", {"pads": [1, 1, 1, 1]}),
    ("Add", "c ar", "s", {}),
    ("Relu", "s", "sr", {}),
    ("MaxPool", "sr", "m", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", "sr", "v", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Concat", "m v", "k", {"axis": 1}),
    ("Conv", "k w3", "n", {}),
    ("GlobalAveragePool", "n", "g", {}),
    ("Flatten", "g", "f", {}),
    ("Gemm", "f wf bf", "y", {"transB": 1}),
]


def floats(path: Path) -> Path:
    """Write a network of floats with all that quantizers meet in classifiers."""
    rng = np.random.default_rng(3)
    arrays = {n: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for n, s in WEIGHTS.items()}
    arrays |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    helper = onnx.helper
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(kind, i.split(), [o], name=o, **attributes) for kind, i, o, attributes in NODES],
        "net",
        [value("x", onnx.TensorProto.FLOAT, ["N", *SHAPE])],
        [value("y", onnx.TensorProto.FLOAT, ["N", 5])],
        [onnx.numpy_helper.from_array(a, n) for n, a in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def images(count: int, seed: int = 4) -> Array:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
    """Gives the quantizer of ONNX Runtime one image after the other."""

    def __init__(self) -> None:
        self.rest = iter(images(30))

    def get_next(self) -> dict[str, Array] | None:
        image = next(self.rest, None)
        return None if image is None else {"x": image[None]}


def quantized(folder: Path, **options: Any) -> Path:
    path = folder / "int8.onnx"
    quantization.quantize_static(str(floats(folder / "floats.onnx")), str(path), Reader(), **options)
    return path


KINDS = {
    "QDQ, uint8 and int8": dict(
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
    ),
    "QDQ, int8": dict(
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
    ),
    "QLinear": dict(
        quant_format=quantization.QuantFormat.QOperator,
        op_types_to_quantize=["Conv", "MaxPool"],
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
    ),
    "QOperator": dict(
        quant_format=quantization.QuantFormat.QOperator,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
    ),
    "QOperator, int8": dict(
        quant_format=quantization.QuantFormat.QOperator,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_within_one_step_of_those_of_onnx_runtime(kind: str, tmp_path: Path) -> None:
    path = quantized(tmp_path, **KINDS[kind])
    graph = Network.load(path).graph
    x = images(100, seed=5)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    (theirs,) = onnxruntime.InferenceSession(str(path), options).run(None, {"x": x})
    ours = evaluate(graph, x)[graph.outputs[0]]
    last = graph.by_name[graph.outputs[0]].op
    step = last.scale if isinstance(last, Dequantize) else np.abs(theirs).max() / 127
    assert np.abs(ours - theirs).max() <= 1.01 * step
    assert (np.abs(ours - theirs) < step / 2).mean() > 0.85
    as_floats = Network.load(path, integers=False).forward(x, layout="nchw")
    assert np.abs(ours - theirs).mean() < np.abs(as_floats - theirs).mean() / 2
    kinds = [node.op.name for node in graph.nodes]
    assert kinds.count("integer_conv2d") == 4
    assert "conv2d" not in kinds
    assert "clip" not in kinds[:2], "a quantize saturates by itself"
    note = Network.load(path).notes["integers"]
    assert "_quantized" not in note.partition("in float")[2], "clips that a quantize implies are not in float"
    if kind != "QLinear":
        assert note == "5 of 5 layers compute with integers"
        # there it is only convolutions and max-pools that are quantized
        assert {"quantized_avg_pool", "quantized_global_avg_pool", "quantized_add"} <= set(kinds)
        assert not {"avg_pool", "global_avg_pool", "add", "linear"} & set(kinds)


def test_weights_are_those_of_the_file(tmp_path: Path) -> None:
    path = quantized(tmp_path, **KINDS["QDQ, int8"])
    stored = [onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer]
    graph = Network.load(path, integers=True).graph
    found = [a for a in graph.constants.values() if a.dtype == np.int8]
    assert len(found) == 5
    for array in found:
        assert any(a.dtype == np.int8 and np.array_equal(a, array) for a in stored)


def test_a_file_of_floats_has_no_integers(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no layer computes with integers"):
        Network.load(floats(tmp_path / "floats.onnx"), integers=True)


A, B, C = ("a", "a.s", "a.z"), ("b", "b.s", "b.z"), ("c.s", "c.z")
CONTRIBUTED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "QLinearAdd": ((*A, *B, *C), {}),
    "QLinearMul": ((*A, *B, *C), {}),
    "QLinearConcat": ((*C, *A, *B), {"axis": 1}),
    "QLinearSigmoid": ((*A, *C), {}),
    "QLinearLeakyRelu": ((*A, *C), {"alpha": 0.3}),
    "QLinearSoftmax": ((*A, *C), {"axis": -1, "opset": 17}),
    "QLinearGlobalAveragePool": ((*A, *C), {}),
    "QLinearAveragePool": ((*A, *C), {"kernel_shape": [2, 3], "strides": [1, 2], "pads": [1, 1, 0, 1]}),
}
"""What ONNX Runtime's quantizer writes besides QLinearConv and QGemm, which are in its networks above."""


def contributed(path: Path, kind: str, zero: type[np.generic], **more: Any) -> Path:
    """Write a network of one operator of com.microsoft between floats."""
    inputs, attributes = CONTRIBUTED[kind]
    signed = np.dtype(zero).kind == "i"
    grids = {
        "a": (0.02, 120),
        "b": (0.03, 140),
        "c": (0.004 if kind in ("QLinearSigmoid", "QLinearSoftmax") else 0.05, 90),
    }
    arrays = {f"{name}.s": np.float32(scale) for name, (scale, _) in grids.items()}
    arrays |= {f"{name}.z": zero(point - 128 * signed) for name, (_, point) in grids.items()}
    make = onnx.helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "a.s", "a.z"], ["a"]),
        make("Neg", ["x"], ["n"]),
        make("QuantizeLinear", ["n", "b.s", "b.z"], ["b"]),
        make(kind, list(inputs), ["c"], domain="com.microsoft", **{**attributes, **more}),
        make("DequantizeLinear", ["c", *C], ["y"]),
    ]
    value, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [value("x", kinds.FLOAT, ["N", *SHAPE])],
        [value("y", kinds.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    sets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=sets, ir_version=8), path)
    return path


@pytest.mark.parametrize("zero", [np.uint8, np.int8])
@pytest.mark.parametrize("kind", CONTRIBUTED)
def test_operators_of_onnx_runtime_are_within_a_step_or_two(kind: str, zero: type[np.generic], tmp_path: Path) -> None:
    path = contributed(tmp_path / "net.onnx", kind, zero)
    x = images(3)
    (theirs,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    step = 0.004 if kind in ("QLinearSigmoid", "QLinearSoftmax") else 0.05
    for options in ({}, {"integers": False}):
        ours = Network.load(path, **options).forward(x, layout="nchw")
        # its inputs are rounded to 0.02 and 0.03, which the floats are not
        assert np.abs(ours - theirs).max() <= step + 0.06
        assert np.abs(ours - theirs).mean() < step


@pytest.mark.parametrize(
    ("kind", "more", "rule"),
    [
        ("QLinearGlobalAveragePool", {"channels_last": 1}, "channels_last"),
        ("QLinearSoftmax", {"axis": 1}, "axis 1"),
        ("QLinearSigmoid", {"strange": 1}, "strange"),
    ],
)
def test_what_operators_of_onnx_runtime_cannot_do_is_named(
    kind: str, more: dict[str, Any], rule: str, tmp_path: Path
) -> None:
    with pytest.raises(CnnfastError, match=rule):
        Network.load(contributed(tmp_path / "net.onnx", kind, np.uint8, **more))
