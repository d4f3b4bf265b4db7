"""Types of tensors: 4-bit weights, integers between layers, and what is refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")

from formats.litert.crafted import Operator, Tensor, model_bytes

from cnnfast import Network
from cnnfast.errors import InputError, ModelFileError, UnsupportedError
from cnnfast.formats import load_model
from cnnfast.graph import evaluate
from cnnfast.ops import Array

DENSE = "FullyConnectedOptions"


def write(folder: Path, tensors: list[Tensor], operators: list[Operator]) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(model_bytes(tensors, operators))
    return path


def packed(values: Array) -> Array:
    """Return integers of 4 bits two to a byte, the first in the lower half."""
    flat = np.append(values.reshape(-1), [0] * (values.size % 2)).astype(np.int64) & 15
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8)


@pytest.mark.parametrize("shape", [(2, 4), (3, 3)], ids=["even", "odd"])
def test_weights_of_4_bits(shape: tuple[int, int], tmp_path: Path) -> None:
    weight = np.random.default_rng(0).permutation(16)[: shape[0] * shape[1]].reshape(shape) - 8
    scales = [0.5, 2.0, 0.25][: shape[0]]
    w = Tensor("w", shape, packed(weight), scales, [0] * len(scales), 0, dtype="int4")
    tensors = [Tensor("x", (1, shape[1])), w, Tensor("y", (1, shape[0]))]
    graph = load_model(write(tmp_path, tensors, [Operator("FULLY_CONNECTED", [0, 1], [2], DENSE, {})])).graph
    y = evaluate(graph, np.eye(shape[1]))["y"]
    np.testing.assert_array_equal(y, weight.T * np.array(scales))


def test_weights_of_an_unknown_type_are_refused_in_words(tmp_path: Path) -> None:
    w = Tensor("w", (1, 2), np.zeros(4, np.uint8), dtype="bfloat16")
    path = write(
        tmp_path, [Tensor("x", (1, 2)), w, Tensor("y", (1, 1))], [Operator("FULLY_CONNECTED", [0, 1], [2], DENSE, {})]
    )
    with pytest.raises(UnsupportedError, match=r"'w' is of the type BFLOAT16; cnnfast reads FLOAT32.*and INT4"):
        load_model(path)


def test_a_type_of_a_newer_schema_is_refused_in_words(tmp_path: Path) -> None:
    w = Tensor("w", (1, 2), np.zeros(2, np.uint8), dtype="float8")
    path = write(
        tmp_path, [Tensor("x", (1, 2)), w, Tensor("y", (1, 1))], [Operator("FULLY_CONNECTED", [0, 1], [2], DENSE, {})]
    )
    with pytest.raises(UnsupportedError, match="'w' is of the type number 100, which the package tflite does not know"):
        load_model(path)


@pytest.mark.parametrize("scales", [[0.0], [-1.0], [float("nan")], [1.0, 1.0]])
def test_scales_are_numbers_above_zero_and_as_many(scales: list[float], tmp_path: Path) -> None:
    w = Tensor("w", (3, 2), np.ones((3, 2), np.int8), scales, [0], 0)
    path = write(
        tmp_path, [Tensor("x", (1, 2)), w, Tensor("y", (1, 3))], [Operator("FULLY_CONNECTED", [0, 1], [2], DENSE, {})]
    )
    with pytest.raises(ModelFileError, match="scale"):
        load_model(path)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero", "factor", "offset"),
    [
        ("uint8", 1 / 127.5, 127, 1 / 127.5, -127 / 127.5),
        ("int8", 1 / 127.5, 0, 1 / 127.5, -128 / 127.5),
        ("int8", 1.0, -128, 1.0, 0.0),
        ("uint8", None, 0, 1.0, 0.0),
        ("float32", None, 0, None, None),
    ],
)
def test_what_a_byte_means_to_the_input(
    dtype: str, scale: float | None, zero: int, factor: float | None, offset: float, tmp_path: Path
) -> None:
    scales, zeros = ([], []) if scale is None else ([scale], [zero])
    tensors = [Tensor("x", (1, 4, 4, 3), None, scales, zeros, 0, dtype), Tensor("y", (1, 4, 4, 3))]
    kind = {"float32": "RELU"}.get(dtype, "CAST" if scale is None else "DEQUANTIZE")
    net = Network.load(write(tmp_path, tensors, [Operator(kind, [0], [1])]))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    if factor is None:
        with pytest.raises(InputError, match="it does not say how a picture becomes its input"):
            net.forward(pixels)
        return
    np.testing.assert_allclose(net.forward(pixels), (pixels * factor + offset).transpose(0, 3, 1, 2), atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8"])
def test_a_cast_to_integers_drops_what_is_behind_the_point(dtype: str, tmp_path: Path) -> None:
    numbers = np.array([[0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.999, 3, -3, 1e-9, 99.99999, -100]])
    count = numbers.shape[1]
    tensors = [Tensor("x", (1, count)), Tensor("i", (1, count), dtype=dtype), Tensor("y", (1, count))]
    casts = [Operator("CAST", [0], [1], "CastOptions", {}), Operator("CAST", [1], [2], "CastOptions", {})]
    net = Network.load(write(tmp_path, tensors, casts))
    np.testing.assert_array_equal(net.forward(numbers.astype(np.float32)), np.trunc(numbers.astype(np.float32)))


@pytest.mark.parametrize(("before", "after"), [("int32", "int8"), ("int32", "uint8"), ("float32", "bool")])
def test_a_cast_to_what_does_not_hold_the_numbers_is_refused(before: str, after: str, tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3), dtype=before), Tensor("y", (1, 3), dtype=after)]
    with pytest.raises(UnsupportedError, match="which does not hold all of its numbers"):
        load_model(write(tmp_path, tensors, [Operator("CAST", [0], [1], "CastOptions", {})]))


def test_a_cast_of_quantized_integers_is_refused(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3), None, [0.5], [0], 0, "int8"), Tensor("y", (1, 3))]
    with pytest.raises(UnsupportedError, match="takes quantized integers for plain ones"):
        load_model(write(tmp_path, tensors, [Operator("CAST", [0], [1], "CastOptions", {})]))


def test_a_constant_is_cast(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 2)), Tensor("c", (2,), np.float32([1.75, -1.75])), Tensor("i", (2,), dtype="int32")]
    tensors += [Tensor("f", (2,)), Tensor("y", (1, 2))]
    casts = [Operator("CAST", [1], [2], "CastOptions", {}), Operator("CAST", [2], [3], "CastOptions", {})]
    add = Operator("ADD", [0, 3], [4], "AddOptions", {})
    graph = load_model(write(tmp_path, tensors, [*casts, add])).graph
    np.testing.assert_array_equal(evaluate(graph, np.zeros((1, 2)))["y"], [[1, -1]])


def test_division_of_integers_is_refused(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3), dtype="int32"), Tensor("y", (1, 3), dtype="int32")]
    with pytest.raises(UnsupportedError, match=r"'y' \(DIV\): it computes with integers \(INT32\)"):
        load_model(write(tmp_path, tensors, [Operator("DIV", [0, 0], [1], "DivOptions", {})]))


def test_what_converts_nothing_keeps_the_type(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3)), Tensor("y", (1, 3), None, [0.1], [0], 0, "int8")]
    with pytest.raises(ModelFileError, match="EXP 'y': its values are of the types FLOAT32, INT8; they must be of one"):
        load_model(write(tmp_path, tensors, [Operator("EXP", [0], [1])]))


def test_a_copy_of_integers_keeps_what_they_stand_for(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3), None, [0.1], [0], 0, "int8"), Tensor("y", (1, 1, 3), None, [0.2], [0], 0, "int8")]
    with pytest.raises(UnsupportedError, match="copies integers"):
        load_model(write(tmp_path, tensors, [Operator("RESHAPE", [0], [1])]))


def test_a_zero_point_is_one_of_the_integers(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 3)), Tensor("y", (1, 3), None, [0.1], [200], 0, "int8")]
    with pytest.raises(ModelFileError, match="its result has the zero point 200; INT8 goes from -128 to 127"):
        load_model(write(tmp_path, tensors, [Operator("QUANTIZE", [0], [1])]))


def test_tensors_that_share_their_scales_take_their_memory_once(tmp_path: Path) -> None:
    scales = np.full(50_000, 0.5, np.float32).tolist()
    tensors = [
        Tensor("x", (1, 2)),
        *(Tensor(f"t{i}", (1, 2), None, scales, [0]) for i in range(1000)),
        Tensor("y", (1, 2)),
    ]
    path = write(tmp_path, tensors, [Operator("RELU", [0], [1001])])
    load_model(path)
    tracemalloc.start()
    load_model(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * path.stat().st_size, "they would take 400 MB"
