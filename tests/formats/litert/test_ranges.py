"""Quantized values end where the range of their integers ends: that range may be all that is left of an activation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")

from formats.litert.crafted import Operator, Tensor, model_bytes

from cnnfast.errors import UnsupportedError
from cnnfast.formats import load_model
from cnnfast.graph import evaluate
from cnnfast.graph.passes import optimize
from cnnfast.ops import Array, Clip, Fused

SIX = ([6 / 255], [0], 0, "uint8")
"""Scale, zero point, axis and type of what MobileNet of TensorFlow 1 holds: ReLU6 by range."""

IMAGES = np.random.default_rng(0).uniform(0, 6, (3, 4, 5, 6))
"""Three images (C, H, W)."""


def load(folder: Path, tensors: list[Tensor], operators: list[Operator]) -> Any:
    path = folder / "net.tflite"
    path.write_bytes(model_bytes(tensors, operators))
    return load_model(path, integers=False).graph


def run(graph: Any, x: Array) -> Array:
    return evaluate(graph, x)[graph.outputs[0]]


def clips(graph: Any) -> list[Clip]:
    return [node.op for node in graph.nodes if isinstance(node.op, Clip)]


def dense(weight: Array, output: tuple[Any, ...], activation: int = 0) -> tuple[list[Tensor], list[Operator]]:
    w = Tensor("w", (1, 2), weight.astype(np.int8), [1.0], [0])
    x = Tensor("x", (1, 2), None, [6 / 255], [0 if output[3] == "uint8" else -128], 0, output[3])
    tensors = [x, w, Tensor("y", (1, 1), None, *output)]
    options = {"FusedActivationFunction": activation}
    return tensors, [Operator("FULLY_CONNECTED", [0, 1], [2], "FullyConnectedOptions", options)]


def test_the_range_is_the_activation(tmp_path: Path) -> None:
    graph = load(tmp_path, *dense(np.array([[2, -1]]), SIX))
    x = np.array([[1.0, 0.5], [5.0, 1.0], [0.5, 5.0]])
    np.testing.assert_allclose(run(graph, x), [[1.5], [6.0], [0.0]], rtol=1e-7)
    assert graph.outputs == ("y",)


@pytest.mark.parametrize(
    ("activation", "scale", "zero", "clip"),
    [
        (0, 0.1, -128, Clip(0.0, 255 * float(np.float32(0.1)))),
        (1, 0.1, -128, Clip(0.0, 255 * float(np.float32(0.1)))),
        (1, 0.1, 0, Clip(0.0, 127 * float(np.float32(0.1)))),
        (3, 0.1, 0, Clip(0, 6)),
        (3, 0.01, 0, Clip(0.0, 127 * float(np.float32(0.01)))),
        (2, 0.1, 0, Clip(-1, 1)),
        (3, 6 / 255, -128, Clip(0, 6)),
    ],
)
def test_an_activation_and_the_range_are_one_clip(
    activation: int, scale: float, zero: int, clip: Clip, tmp_path: Path
) -> None:
    graph = load(tmp_path, *dense(np.array([[2, -1]]), ([scale], [zero], 0, "int8"), activation))
    assert clips(graph) == [clip]
    (node,) = optimize(graph).nodes
    assert isinstance(node.op, Fused)
    assert node.op.tail == (clip,), "it costs no pass of its own"


def moves() -> list[tuple[str, list[Array], tuple[int, ...], str, dict[str, Any]]]:
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}

    def ints(*values: int) -> Array:
        return np.array(values, np.int32)

    return [
        ("RESHAPE", [ints(1, 120)], (1, 120), "", {}),
        ("TRANSPOSE", [ints(0, 2, 1, 3)], (1, 6, 5, 4), "", {}),
        ("MAX_POOL_2D", [], (1, 5, 6, 4), "Pool2DOptions", window),
        ("AVERAGE_POOL_2D", [], (1, 5, 6, 4), "Pool2DOptions", window),
        ("MEAN", [ints(1, 2)], (1, 4), "ReducerOptions", {}),
        ("PAD", [ints(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2)], (1, 7, 8, 4), "", {}),
        ("RELU", [], (1, 5, 6, 4), "", {}),
        ("LOGISTIC", [], (1, 5, 6, 4), "", {}),
        ("SOFTMAX", [], (1, 5, 6, 4), "SoftmaxOptions", {"Beta": 1.0}),
        ("MAXIMUM", [np.float32([2])], (1, 5, 6, 4), "", {}),
        ("QUANTIZE", [], (1, 5, 6, 4), "", {}),
        ("RESIZE_BILINEAR", [ints(9, 9)], (1, 9, 9, 4), "ResizeBilinearOptions", {}),
    ]


@pytest.mark.parametrize("case", moves(), ids=lambda case: case[0])
def test_what_stays_within_is_not_clipped(case: Any, tmp_path: Path) -> None:
    kind, constants, shape, table, options = case
    tensors = [Tensor("x", (1, 5, 6, 4), None, *SIX), *(Tensor(f"c{i}", c.shape, c) for i, c in enumerate(constants))]
    tensors.append(Tensor("y", shape, None, *SIX))
    graph = load(tmp_path, tensors, [Operator(kind, list(range(len(tensors) - 1)), [len(tensors) - 1], table, options)])
    assert not clips(graph)


def test_what_may_leave_is_clipped(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 5, 6, 4), None, *SIX), Tensor("y", (1, 5, 6, 4), None, *SIX)]
    graph = load(tmp_path, tensors, [Operator("ADD", [0, 0], [1], "AddOptions", {})])
    np.testing.assert_allclose(run(graph, IMAGES), np.minimum(2 * IMAGES, 6), rtol=1e-6)


def test_a_requantization_to_a_smaller_range_saturates(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 2)), Tensor("q", (1, 2), None, [0.01], [0], 0, "int8"), Tensor("y", (1, 2))]
    graph = load(tmp_path, tensors, [Operator("QUANTIZE", [0], [1]), Operator("DEQUANTIZE", [1], [2])])
    np.testing.assert_allclose(run(graph, np.array([[0.5, 3.0], [-9, 0]])), [[0.5, 1.27], [-1.28, 0]], rtol=1e-6)


def test_a_quantized_constant_is_rounded(tmp_path: Path) -> None:
    numbers = np.float32([[0.26, -5]])
    tensors = [Tensor("x", (1, 2)), Tensor("c", (1, 2), numbers), Tensor("q", (1, 2), None, [0.5], [0], 0, "int8")]
    tensors += [Tensor("d", (1, 2)), Tensor("y", (1, 2))]
    add = Operator("ADD", [0, 3], [4], "AddOptions", {})
    graph = load(tmp_path, tensors, [Operator("QUANTIZE", [1], [2]), Operator("DEQUANTIZE", [2], [3]), add])
    np.testing.assert_array_equal(run(graph, np.zeros((1, 2))), [[0.5, -5]])


def test_a_computed_value_has_one_scale(tmp_path: Path) -> None:
    tensors, operators = dense(np.array([[2, -1]]), ([0.1, 0.2], [0, 0], 1, "int8"))
    with pytest.raises(
        UnsupportedError, match="its result is INT8 with 2 scales; supported: UINT8, INT8, INT16 with one"
    ):
        load(tmp_path, tensors, operators)


def test_plain_integers_are_not_saturated(tmp_path: Path) -> None:
    """Bytes without a scale, made floats by a CAST: the usual start of a network that takes pictures."""
    tensors = [Tensor("x", (1, 2), dtype="uint8"), Tensor("y", (1, 2))]
    graph = load(tmp_path, tensors, [Operator("CAST", [0], [1], "CastOptions", {})])
    np.testing.assert_array_equal(run(graph, np.array([[0.0, 255]])), [[0, 255]])
