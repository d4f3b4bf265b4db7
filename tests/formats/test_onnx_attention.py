"""Products of two values, as attention has them, by ONNX's own reference; and a whole block of a vision transformer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import model, node
from onnx import ModelProto, NodeProto
from onnx.reference import ReferenceEvaluator

from cnnfast import Network
from cnnfast.errors import UnsupportedError


def close_to_onnx(folder: Path, proto: ModelProto, x: np.ndarray) -> Network:
    """Check a network against the reference, and one image against the batch; return it."""
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    network = Network.load(path)
    layout = "nchw" if x.ndim == 4 else None
    (expected,) = ReferenceEvaluator(proto).run(None, {"x": x})
    result = network.forward(x, layout=layout)
    np.testing.assert_allclose(result.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(network.forward(x[1:2], layout=layout), result[1:2])
    return network


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("MatMul", "x t")],
        [node("MatMul", "left x")],
        [node("MatMul", "lefts x")],
        [node("MatMul", "x right")],
        [node("MatMul", "x rights")],
        [node("MatMul", "x vector", "m"), node("Relu", "m")],
        [node("Sign", "x", "s"), node("Abs", "x", "a"), node("Add", "a s")],
        [node("Round", "x")],
    ],
)
def test_products_of_every_form(nodes: list[NodeProto], tmp_path: Path) -> None:
    weights = {"left": images(6, 4), "lefts": images(3, 6, 4), "right": images(5, 7), "rights": images(1, 3, 5, 7)}
    weights |= {"vector": images(5)}
    close_to_onnx(tmp_path, model(nodes, ("N", 3, 4, 5), weights), 4 * images(18, 3, 4, 5))


def test_products_that_mix_images_are_refused(tmp_path: Path) -> None:
    """A value of fewer axes would stand for the matrices of one image, and its images for the rows of another."""
    path = tmp_path / "net.onnx"
    nodes = [node("ReduceMean", "x", "m", axes=[1], keepdims=0), node("MatMul", "x m")]
    path.write_bytes(model(nodes, ("N", 3, 4, 4)).SerializeToString())
    with pytest.raises(UnsupportedError, match="would set images against matrices"):
        Network.load(path)


def test_images_behind_another_axis_go_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for nodes in (
        [node("Relu", "t")],
        [node("Softmax", "t", axis=2)],
        [node("Flatten", "t")],
        [node("Gather", "t one")],
    ):
        turned = [node("Transpose", "x", "t", perm=[1, 0, 2, 3]), *nodes]
        path.write_bytes(model(turned, ("N", 3, 4, 4), {"one": np.array(1)}).SerializeToString())
        if nodes[0].op_type == "Gather":
            assert Network.load(path).output_shape == (4, 4)
        else:
            with pytest.raises(UnsupportedError, match="axis 1 counts the images there; Transpose, Gather, Slice"):
                Network.load(path)
    path.write_bytes(model([node("Transpose", "x", perm=[1, 0, 2, 3])], ("N", 3, 4, 4)).SerializeToString())
    with pytest.raises(UnsupportedError, match="axis 1 of the output 'y' counts the images"):
        Network.load(path)


PARTS = ("zero", "one", "two")


def three_parts(how: str) -> list[NodeProto]:
    """Return nodes that take queries, keys and values apart, along axis 0."""
    if how == "Gather":
        return [node("Gather", f"heads {part}", f"h{part}", axis=0) for part in PARTS]
    parts = [node("Squeeze", f"s{i} n", f"h{part}") for i, part in enumerate(PARTS)]
    if how == "Split":
        return [node("Split", "heads", "s0 s1 s2", axis=0, num_outputs=3), *parts]
    return [*(node("Slice", f"heads b{i} b{i + 1} n", f"s{i}") for i in range(3)), *parts]


@pytest.mark.parametrize("how", ["Gather", "Slice", "Split"])
def test_a_block_of_a_vision_transformer(how: str, tmp_path: Path) -> None:
    """Patches, a class token, one attention of two heads, the token's scores.

    The images are axis 1 between the heads' transpose and the one that takes queries, keys and values apart.
    """
    weights: dict[str, np.ndarray] = {
        "patch": images(8, 3, 4, 4) / 4,
        "rows": np.array([0, 8, 4]),
        "token": images(1, 1, 8),
        "place": images(1, 5, 8),
        "ones": np.ones(8, np.float32),
        "zeros": np.zeros(8, np.float32),
        "qkv": images(8, 24) / 3,
        "split": np.array([0, 5, 3, 2, 4]),
        "zero": np.array(0),
        "one": np.array(1),
        "two": np.array(2),
        "scale": np.array(0.5, np.float32),
        "joined": np.array([0, 5, 8]),
        "fc": images(8, 10),
        "n": np.array([0]),
        "rest": np.array([1, 8]),
        **{f"b{i}": np.array([i]) for i in range(4)},
    }
    nodes = [
        node("Conv", "x patch", "c", strides=[4, 4]),
        node("Reshape", "c rows", "r"),
        node("Transpose", "r", "t", perm=[0, 2, 1]),
        node("Shape", "x", "s"),
        node("Gather", "s n", "count", axis=0),
        node("Concat", "count rest", "whole", axis=0),
        node("Expand", "token whole", "tokens"),
        node("Concat", "tokens t", "z", axis=1),
        node("Add", "z place", "p"),
        node("LayerNormalization", "p ones zeros", "l", axis=-1),
        node("MatMul", "l qkv", "all"),
        node("Reshape", "all split", "parts"),
        node("Transpose", "parts", "heads", perm=[2, 0, 3, 1, 4]),
    ]
    nodes += [
        *three_parts(how),
        node("Transpose", "hone", "keys", perm=[0, 1, 3, 2]),
        node("MatMul", "hzero keys", "scores"),
        node("Mul", "scores scale", "scaled"),
        node("Softmax", "scaled", "weights", axis=-1),
        node("MatMul", "weights htwo", "mixed"),
        node("Transpose", "mixed", "back", perm=[0, 2, 1, 3]),
        node("Reshape", "back joined", "j"),
        node("Add", "j p", "res"),
        node("Gather", "res zero", "cls", axis=1),
        node("MatMul", "cls fc", "logits"),
        node("Softmax", "logits", "y", axis=-1),
    ]
    network = close_to_onnx(tmp_path, model(nodes, ("N", 3, 8, 8), weights, opset=18), images(18, 3, 8, 8))
    assert [n.op.name for n in network.graph.nodes].count("matmul") == 2


@pytest.mark.parametrize("batched", ["heads", "all"])
def test_images_and_heads_may_share_an_axis_for_a_while(batched: str, tmp_path: Path) -> None:
    """PyTorch's newer exporter turns the keys so; its `bmm` has all of attention so."""
    weights = {
        "joined": np.array([-1, 4, 5]),
        "apart": np.array([-1, 3, 5, 4]),
        "back": np.array([-1, 3, 4, 4]),
        "scale": np.array(0.3, np.float32),
    }
    nodes = [
        node("Reshape", "x joined", "j"),
        node("Transpose", "j", "t", perm=[0, 2, 1]),
    ]
    if batched == "heads":
        nodes += [node("Reshape", "t apart", "k"), node("MatMul", "x k", "s"), node("Softmax", "s", axis=-1)]
    else:
        nodes += [
            node("MatMul", "j t", "s"),
            node("Mul", "s scale", "m"),
            node("Softmax", "m", "w", axis=2),
            node("Reshape", "w back"),
        ]
    close_to_onnx(tmp_path, model(nodes, ("N", 3, 4, 5), weights), images(18, 3, 4, 5))
    path = tmp_path / "net.onnx"
    weights["w"] = images(4, 5)
    for wrong in (node("Relu", "j"), node("Softmax", "j", axis=0), node("Add", "j w"), node("Reshape", "x joined")):
        path.write_bytes(model([nodes[0], wrong], ("N", 3, 4, 5), weights).SerializeToString())
        with pytest.raises(UnsupportedError, match=r"counts the images"):
            Network.load(path)
