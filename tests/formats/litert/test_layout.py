"""Files made from PyTorch take N, C, H, W and turn it first: they are recognized, or the user specifies it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")

from formats.litert.crafted import Operator, Tensor, model_bytes

from cnnfast import Network
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.graph.passes import optimize
from cnnfast.ops import Array, Transpose

WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


def write(folder: Path, channels: int = 3, first: str = "TRANSPOSE", before: bool = False) -> tuple[Path, Array]:
    """Write images (C, 6, 5) → channels last → convolution 2 × 2; return its weight (O, H, W, C), too."""
    weight = np.random.default_rng(0).standard_normal((4, 2, 2, channels)).astype(np.float32)
    order = ints(0, 2, 3, 1) if first == "TRANSPOSE" else ints(1, 6, 5, channels)
    tensors = [
        Tensor("x", (1, channels, 6, 5)),
        Tensor("half", (1, channels, 6, 5)),
        Tensor("order", (4,), order),
        Tensor("last", (1, 6, 5, channels)),
        Tensor("w", weight.shape, weight),
        Tensor("y", (1, 5, 4, 4)),
        Tensor("number", (1, 1, 1, 1), np.full((1, 1, 1, 1), 0.5, np.float32)),
    ]
    operators = [
        Operator(first, [1 if before else 0, 2], [3]),
        Operator("CONV_2D", [3, 4], [5], "Conv2DOptions", WINDOW),
    ]
    if before:
        operators.insert(0, Operator("MUL", [0, 6], [1], "MulOptions", {}))
    path = folder / "net.tflite"
    path.write_bytes(model_bytes(tensors, operators, outputs=(5,)))
    return path, weight * (0.5 if before else 1)


def expected(images: Array, weight: Array) -> Array:
    """Return the convolution of images (N, H, W, C) as (N, O, H, W)."""
    y = np.zeros((len(images), 5, 4, 4))
    for row in range(2):
        for column in range(2):
            y += images[:, row : row + 5, column : column + 4] @ weight[:, row, column].T
    return y.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("first", ["TRANSPOSE", "RESHAPE"])
@pytest.mark.parametrize("before", [False, True], ids=["at once", "behind a product"])
@pytest.mark.parametrize("input_layout", [None, "nchw"])
def test_channels_first_are_recognized(first: str, before: bool, input_layout: str | None, tmp_path: Path) -> None:
    channels = 3 if first == "TRANSPOSE" else 1
    path, weight = write(tmp_path, channels, first, before)
    net = Network.load(path, preprocess="raw", input_layout=input_layout)
    assert net.input_shape == (channels, 6, 5)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 6, 5, channels), np.uint8)
    np.testing.assert_allclose(net.forward(pixels), expected(pixels.astype(float), weight), rtol=1e-5, atol=1e-3)
    transposes = [node for node in optimize(net.graph).nodes if isinstance(node.op, Transpose)]
    assert not transposes, "the file's own one has met its opposite"


def test_the_user_may_say_otherwise(tmp_path: Path) -> None:
    path, weight = write(tmp_path)
    net = Network.load(path, input_layout="nhwc")
    assert net.input_shape == (5, 3, 6)
    x = np.random.default_rng(1).standard_normal((2, 5, 3, 6)).astype(np.float32)
    y = net.forward(x, layout="nchw")
    # what the graph holds as (5, 3, 6) is (3, 6, 5) in the file
    np.testing.assert_allclose(y, expected(x.transpose(0, 3, 1, 2), weight), rtol=1e-5, atol=1e-5)


def test_channels_last_stay(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 6, 5, 1)), Tensor("order", (4,), ints(0, 2, 3, 1)), Tensor("y", (1, 5, 1, 6))]
    path = tmp_path / "net.tflite"
    path.write_bytes(model_bytes(tensors, [Operator("TRANSPOSE", [0, 1], [2])]))
    assert Network.load(path, preprocess="raw").input_shape == (1, 6, 5)


def test_nonsense_is_an_error(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    with pytest.raises(ConfigError, match="input_layout must be one of 'nchw', 'nhwc', but is 'chw'"):
        Network.load(path, input_layout="chw")
    path.write_bytes(model_bytes([Tensor("x", (1, 6)), Tensor("y", (1, 6))], [Operator("RELU", [0], [1])]))
    with pytest.raises(ModelFileError, match="is for images"):
        Network.load(path, input_layout="nchw")
