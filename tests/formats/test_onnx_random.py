"""Random networks, written as ONNX and read again, against ONNX Runtime where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from random_graphs import random_graph, random_inputs, seeds

from cnnfast import ops
from cnnfast.graph import Graph, Node, evaluate

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import whole
from onnx import ModelProto, TensorProto, helper, numpy_helper


def _window(op: Any) -> dict[str, Any]:
    return {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.padding, "dilations": op.dilation} | {
        "ceil_mode": int(op.ceil_mode)
    }


def _written(op: ops.Op) -> tuple[str, dict[str, Any]]:
    """Return the operator of ONNX (opset 20) that an op is, and its attributes."""
    match op:
        case ops.Conv2d():
            where = {"strides": op.stride, "pads": op.padding, "dilations": op.dilation, "group": op.groups}
            return "Conv", where
        case ops.Linear():
            return "Gemm", {"transB": 1}
        case ops.BatchNorm():
            return "BatchNormalization", {"epsilon": op.eps}
        case ops.MaxPool():
            return "MaxPool", _window(op)
        case ops.AvgPool():
            return "AveragePool", _window(op) | {"count_include_pad": int(op.count_padding)}
        case ops.LeakyRelu():
            return "LeakyRelu", {"alpha": op.slope}
        case ops.Elu():
            return "Elu", {"alpha": op.alpha}
        case ops.HardSigmoid():
            return "HardSigmoid", {"alpha": op.alpha, "beta": op.beta}
        case ops.Gelu():
            return "Gelu", {"approximate": op.approximate}
        case ops.Softmax() | ops.LogSoftmax():
            return type(op).__name__, {"axis": op.axis}
        case ops.Lrn():
            return "LRN", {"size": op.size, "alpha": op.alpha, "beta": op.beta, "bias": op.bias}
        case ops.Concat():
            return "Concat", {"axis": op.axis}
        case ops.Transpose():
            return "Transpose", {"perm": op.order}
    return {"identity": "Identity", "dropout": "Identity", "prelu": "PRelu"}.get(op.name, type(op).__name__), {}


class Writer:
    """A graph as an ONNX model."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.tensors = {n: a.astype(np.float32) for n, a in graph.constants.items()}

    def model(self) -> ModelProto:
        for node in self.graph.nodes:
            self.write(node)
        inputs = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", *shape)) for n, shape in self.graph.inputs.items()
        ]
        outputs = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", *self.graph.shapes[n]))
            for n in self.graph.outputs
        ]
        tensors = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in self.tensors.items()]
        proto = helper.make_graph(self.nodes, "random", inputs, outputs, tensors)
        return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)

    def extra(self, name: str, array: Any) -> str:
        self.tensors[name] = np.asarray(array)
        return name

    def write(self, node: Node) -> None:
        op, inputs, name = node.op, list(node.inputs), node.name
        shape = self.graph.shapes[node.inputs[0]]
        if isinstance(op, ops.Clip):
            inputs += [self.extra(f"{name}.{i}", np.float32(v)) for i, v in enumerate((op.low, op.high))]
        elif isinstance(op, ops.Silu):
            self.nodes.append(helper.make_node("Sigmoid", inputs, [f"{name}.s"]))
            self.nodes.append(helper.make_node("Mul", [*inputs, f"{name}.s"], [name]))
            return
        elif isinstance(op, ops.Flatten | ops.Reshape):
            target = self.graph.shapes[name]
            self.nodes.append(helper.make_node("Reshape", [*inputs, self.extra(f"{name}.to", [-1, *target])], [name]))
            return
        elif isinstance(op, ops.Pad):
            top, left, bottom, right = op.padding
            inputs += [
                self.extra(f"{name}.pads", [0, 0, top, left, 0, 0, bottom, right]),
                self.extra(f"{name}.value", np.float32(op.value)),
            ]
        elif isinstance(op, ops.GlobalAvgPool | ops.GlobalMaxPool):
            kind = "GlobalAveragePool" if isinstance(op, ops.GlobalAvgPool) else "GlobalMaxPool"
            pooled = name if op.keep_dims else f"{name}.p"
            self.nodes.append(helper.make_node(kind, inputs, [pooled]))
            if not op.keep_dims:
                self.nodes.append(helper.make_node("Flatten", [pooled], [name]))
            return
        elif isinstance(op, ops.PRelu):
            slope = self.tensors[inputs[1]].reshape(-1, *(1,) * (len(shape) - 1))
            inputs[1] = self.extra(f"{name}.slope", slope)
        # a constant next to images would have to be repeated for each of them
        assume(not isinstance(op, ops.Concat) or not any(value in self.tensors for value in inputs))
        kind, attributes = _written(op)
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))


def written(graph: Graph) -> ModelProto:
    """Return a graph as an ONNX model; a network whose output does not depend on the images is rejected."""
    fixed = set(graph.constants)
    for node in graph.nodes:
        if set(node.inputs) <= fixed:
            fixed.add(node.name)
    assume(not fixed & set(graph.outputs))
    return Writer(graph).model()


@settings(deadline=None)
@given(seed=seeds())
def test_reading_gives_the_network_that_was_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    read = whole(written(graph))
    inputs = random_inputs(graph, rng)
    expected, actual = evaluate(graph, inputs), evaluate(read, inputs)
    for before, after in zip(graph.outputs, read.outputs, strict=True):
        scale = max(1.0, float(np.abs(expected[before]).max()))
        np.testing.assert_allclose(actual[after], expected[before], atol=1e-5 * scale)


@settings(deadline=None)
@given(seed=seeds())
def test_onnx_runtime_computes_the_same(seed: int) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is a second opinion; it is not installed")
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    # what is made of constants alone has no axis that counts the images, and the runtime cannot know that it should
    assume(not any(set(node.inputs) <= set(graph.constants) for node in graph.nodes))
    # it refuses windows of an even number of channels, and in ceil mode it counts windows that start in the padding
    assume(not any(isinstance(node.op, ops.Lrn) and node.op.size % 2 == 0 for node in graph.nodes))
    assume(not any(getattr(node.op, "ceil_mode", False) for node in graph.nodes))
    proto = written(graph)
    inputs = {n: x.astype(np.float32) for n, x in random_inputs(graph, rng).items()}
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    read = whole(proto)
    actual = evaluate(read, inputs)
    for value, name in zip(session.run(None, inputs), read.outputs, strict=True):
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(actual[name], value, atol=1e-4 * scale)
