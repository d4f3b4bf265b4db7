"""Values that a file holds as integers: what they stand for travels with them, and nothing computes with the integers.

All values are multiples of the scale within the range of the integers, so rounding changes nothing and the reference
implementation of ONNX, which computes with integers, gives the very same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import model as model_of
from formats.onnx_small import node
from onnx import ModelProto, NodeProto, TensorProto
from onnx.reference import ReferenceEvaluator

from cnnfast import Network
from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx import integers_of

OPSET = 21
"""The reference of ONNX computes quantized nodes from operator set 19 on."""

SHAPE = (3, 4, 4)
WEIGHTS = {
    "s": np.array(0.5, np.float32),
    "z": np.array(100, np.uint8),
    "s2": np.array(0.25, np.float32),
    "z2": np.array(3, np.uint8),
    "minus": np.array([-1]),
    "one": np.array([1]),
    "two": np.array([2]),
    "sides": np.array([1, 3]),
    "rows": np.array([0, 6, 8]),
    "split": np.array([1, 2]),
    "pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]),
    "five": np.array(5, np.uint8),
    "large": np.array(140, np.uint8),
    "plane": np.full((5, 3, 4, 4), 7, np.uint8),
    "twice": np.array([1, 1, 2, 2], np.float32),
    "wider": np.array([1, 3, 4, 4]),
}

SELECT = {
    "Identity": [node("Identity", "q", "r")],
    "Flatten": [node("Flatten", "q", "r")],
    "Reshape": [node("Reshape", "q rows", "r")],
    "Transpose": [node("Transpose", "q", "r", perm=[0, 2, 3, 1])],
    "Unsqueeze": [node("Unsqueeze", "q two", "r")],
    "Squeeze": [node("Unsqueeze", "q two", "u"), node("Squeeze", "u two", "r")],
    "Slice": [node("Slice", "q one two minus", "r")],
    "Split": [node("Split", "q split", "a r", axis=1)],
    "Gather": [node("Gather", "q two", "r", axis=1)],
    "Concat": [node("Concat", "q q", "r", axis=1)],
    "Concat with integers": [node("Concat", "q plane", "r", axis=2)],
    "Pad with 0": [node("Pad", "q pads", "r")],
    "Pad with 5": [node("Pad", "q pads five", "r")],
    "MaxPool": [node("MaxPool", "q", "r", kernel_shape=[3, 2], strides=[1, 2])],
    "ReduceMax": [node("ReduceMax", "q two", "r")],
    "ReduceMin": [node("ReduceMin", "q sides", "r")],
    "Max": [node("Max", "q large", "r")],
    "Min": [node("Min", "large q q", "r")],
    "Clip": [node("Clip", "q five large", "r")],
    "DepthToSpace": [node("SpaceToDepth", "q", "t", blocksize=2), node("DepthToSpace", "t", "r", blocksize=2)],
    "Expand": [node("Expand", "q wider", "r")],
    "Resize": [node("Resize", "q - twice", "r", mode="nearest")],
    "Cast and back": [node("Cast", "q", "f", to=TensorProto.FLOAT), node("QuantizeLinear", "f s z", "r")],
    "a chain": [
        node("MaxPool", "q", "m", kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", "m", "t", perm=[0, 2, 3, 1]),
        node("Concat", "t t", "c", axis=3),
        node("Flatten", "c", "r"),
    ],
}


def model(nodes: Sequence[NodeProto], shape: Sequence[object], weights: object, **options: Any) -> ModelProto:
    return model_of(nodes, shape, weights, opset=OPSET, **options)


def loaded(folder: Path, proto: ModelProto, **options: object) -> Network:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return Network.load(path, **options)


def both(folder: Path, proto: ModelProto, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    expected = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    layout = "nchw" if x.ndim == 4 else None
    result = loaded(folder, proto, preprocess=None).forward(x.astype(np.float32), layout=layout)
    return result.reshape(expected.shape), expected


def multiples() -> np.ndarray:
    """Multiples of 0.5 from -50 to 76."""
    return (np.random.default_rng(3).integers(-100, 153, (5, *SHAPE)) / 2).astype(np.float32)


@pytest.mark.parametrize("name", SELECT)
def test_what_selects_between_quantize_and_dequantize(name: str, tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), *SELECT[name], node("DequantizeLinear", "r s z")]
    result, expected = both(tmp_path, model(nodes, ("N", *SHAPE), WEIGHTS), multiples())
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_the_example_of_the_report(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("Flatten", "q", "r"), node("DequantizeLinear", "r s z")]
    network = loaded(tmp_path, model(nodes, ("N", 2), WEIGHTS))
    np.testing.assert_array_equal(network.forward(np.array([[1, -2]], np.float32)), [[1, -2]])


@pytest.mark.parametrize("name", ["MaxPool", "Concat with integers", "Pad with 5", "Resize"])
def test_integers_that_are_given_as_images(name: str, tmp_path: Path) -> None:
    """Each stands for itself, until DequantizeLinear or Cast says otherwise."""
    q = np.random.default_rng(0).integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    for last in (node("DequantizeLinear", "r s z"), node("Cast", "r", to=TensorProto.FLOAT)):
        nodes = [node("Identity", "x", "q"), *SELECT[name], last]
        result, expected = both(tmp_path, model(nodes, ("N", *SHAPE), WEIGHTS, kind=TensorProto.UINT8), q)
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_padding_of_a_pool_is_below_every_integer(tmp_path: Path) -> None:
    pool = node("MaxPool", "q", "r", kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    nodes = [node("QuantizeLinear", "x s z", "q"), pool, node("DequantizeLinear", "r s z")]
    x = np.array([[-3, -2.5], [-50, 4]], np.float32).reshape(1, 1, 2, 2)
    result = loaded(tmp_path, model(nodes, ("N", 1, 2, 2), WEIGHTS)).forward(x, layout="nchw")
    np.testing.assert_array_equal(result[0, 0], [[-3, -2.5], [-3, 4]])


def test_another_scale_reads_the_same_integers(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s2 z2")]
    result, expected = both(tmp_path, model(nodes, ("N", *SHAPE), WEIGHTS), multiples())
    np.testing.assert_allclose(result, expected, atol=1e-4)


REFUSED = {
    "Add": [node("Add", "q five", "r")],
    "Mul": [node("Mul", "q q", "r")],
    "Sub of a mean": [node("Sub", "q plane", "r")],
    "ReduceSum": [node("ReduceSum", "q one", "r")],
    "AveragePool": [node("GlobalAveragePool", "q", "r")],
    "Relu6 by hand": [node("Neg", "q", "n"), node("Max", "n five", "r")],
    "cubic": [node("Resize", "q - twice", "r", mode="cubic")],
    "Concat of two scales": [node("QuantizeLinear", "x s2 z2", "p"), node("Concat", "q p", "r", axis=1)],
    "Concat with real numbers": [node("Concat", "q x", "r", axis=1)],
}


@pytest.mark.parametrize("name", REFUSED)
def test_arithmetic_of_integers_is_refused(name: str, tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), *REFUSED[name], node("DequantizeLinear", "r s z")]
    with pytest.raises(UnsupportedError, match=r"integers of type uint8 with the scale 0.5, zero point 100"):
        loaded(tmp_path, model(nodes, ("N", *SHAPE), WEIGHTS))
    raw = [node("Identity", "x", "q"), *REFUSED[name], node("Cast", "r", to=TensorProto.FLOAT)]
    if "Concat" not in name:
        with pytest.raises(UnsupportedError, match=r"integers of type uint8"):
            loaded(tmp_path, model(raw, ("N", *SHAPE), WEIGHTS, kind=TensorProto.UINT8))


def test_real_numbers_cannot_be_dequantized(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="real numbers, not integers"):
        loaded(tmp_path, model([node("DequantizeLinear", "x s z")], ("N", 4), WEIGHTS))


def test_the_type_of_the_integers_may_be_an_attribute(tmp_path: Path) -> None:
    """output_dtype, operator set 21; 0 or nothing means uint8."""
    x = np.array([[-70, -1, 0.25, 63.5, 200]], np.float32)
    for kind, low, high in ((TensorProto.INT8, -64, 63.5), (TensorProto.UINT8, 0, 127.5), (0, 0, 127.5)):
        nodes = [node("QuantizeLinear", "x s", "q", output_dtype=kind), node("DequantizeLinear", "q s")]
        network = loaded(tmp_path, model(nodes, ("N", 5), WEIGHTS))
        np.testing.assert_array_equal(network.forward(x), np.clip(x, low, high))
    for kind in (TensorProto.INT4, TensorProto.FLOAT8E4M3FN):
        nodes = [node("QuantizeLinear", "x s", "q", output_dtype=kind), node("DequantizeLinear", "q s")]
        with pytest.raises(UnsupportedError, match=f"output_dtype {kind}"):
            loaded(tmp_path, model(nodes, ("N", 5), WEIGHTS))


def dynamic(kind: str) -> tuple[Sequence[NodeProto], dict[str, np.ndarray]]:
    """Return nodes as onnxruntime's quantize_dynamic writes them."""
    rng = np.random.default_rng(5)
    shape = (6, 3, 3, 3) if kind == "ConvInteger" else (4, 7)
    weights = {"w": rng.integers(-100, 100, shape).astype(np.int8), "ws": np.array(0.01, np.float32)}
    weights["wz"] = np.array(3, np.int8)
    nodes = [
        node("DynamicQuantizeLinear", "x", "q qs qz"),
        node(kind, "q w qz wz", "i", **({"pads": [1, 1, 1, 1]} if kind == "ConvInteger" else {})),
        node("Cast", "i", "f", to=TensorProto.FLOAT),
        node("Mul", "qs ws", "scale"),
        node("Mul", "f scale"),
    ]
    return nodes, weights


@pytest.mark.parametrize("kind", ["ConvInteger", "MatMulInteger"])
def test_scales_found_in_the_images_cancel_out(kind: str, tmp_path: Path) -> None:
    nodes, weights = dynamic(kind)
    x = np.random.default_rng(1).standard_normal((5, *SHAPE)).astype(np.float32)
    result, expected = both(tmp_path, model(nodes, ("N", *SHAPE), weights), x)
    np.testing.assert_allclose(result, expected, atol=0.02 * np.abs(expected).max())
    real = (weights["w"] - 3.0) * 0.01
    if kind == "MatMulInteger":
        np.testing.assert_allclose(result, x @ real, rtol=1e-4, atol=1e-4)


def test_a_found_scale_that_is_missing_or_another_is_refused(tmp_path: Path) -> None:
    nodes, weights = dynamic("MatMulInteger")
    without = [*nodes[:3], node("Relu", "f")]
    other = [*nodes[:3], node("DynamicQuantizeLinear", "x", "p ps pz"), node("Mul", "f ps")]
    real = [node("DynamicQuantizeLinear", "x", "q qs qz"), node("Mul", "x qs")]
    for wrong in (
        without,
        other,
        [*nodes[:3], node("Mul", "f ws")],
        real,
    ):
        with pytest.raises(UnsupportedError, match=r"found in the images"):
            loaded(tmp_path, model(wrong, ("N", *SHAPE), weights))


def test_what_the_integers_of_a_file_stand_for(tmp_path: Path) -> None:
    nodes, weights = dynamic("MatMulInteger")
    nodes = [*nodes[:-1], node("Mul", "f scale", "d"), node("QuantizeLinear", "d s z", "k"), node("Flatten", "k")]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, ("N", *SHAPE), {**weights, **WEIGHTS}).SerializeToString())
    assert integers_of(path, SHAPE) == {"q": None, "i": None, "f": None, "k": (0.5, 100.0), "y": (0.5, 100.0)}
