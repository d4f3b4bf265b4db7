"""Small ONNX models, made on the spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from cnnfast.formats.onnx.ends import Said, entrance
from cnnfast.formats.onnx.translate import Translation
from cnnfast.graph import Graph


def model(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str | None] = ("N", 3, 8, 8),
    weights: Mapping[str, np.ndarray] | None = None,
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> ModelProto:
    """Return a model with the input ``x`` and the output ``y``."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def whole(proto: ModelProto) -> Graph:
    """Return the graph of a model with all its inputs and outputs."""
    translation = Translation(proto, None)
    for value in translation.graph.input:
        translation.enter(entrance(translation.graph, value, Said()))
    return translation.run(translation.graph.node, [value.name for value in translation.graph.output])


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> NodeProto:
    """Return a node; names of inputs are separated by spaces, ``-`` stands for one left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, names, output.split(), name=f"node_{output.split()[0]}", **attributes)


def classifier(opset: int = 17, dtype: type = np.float32) -> ModelProto:
    """Return convolution, batch-norm, ReLU, pool, a reshape through the shape, dense layer, softmax."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.standard_normal((4, 3, 3, 3)).astype(dtype),
        "p": np.full(4, 0.5, dtype),
        "fc": rng.standard_normal((64, 10)).astype(dtype),
        "b": np.arange(10).astype(dtype),
        "zero": np.array(0),
        "axes": np.array([0]),
        "rest": np.array([-1]),
    }
    unsqueeze = (
        node("Unsqueeze", "n axes", "n1") if opset >= 13 else node("Unsqueeze", "n", "n1", axes=[0])
    )  # fmt: skip
    nodes = [
        node("Conv", "x w", "c", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c p p p p", "bn"),
        node("Relu", "bn", "r"),
        node("MaxPool", "r", "m", kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", "m", "s"),
        node("Gather", "s zero", "n", axis=0),
        unsqueeze,
        node("Concat", "n1 rest", "target", axis=0),
        node("Reshape", "m target", "flat"),
        node("Gemm", "flat fc b", "scores"),
        node("Softmax", "scores", "y", axis=1),
    ]
    return model(nodes, weights=weights, opset=opset)
