"""Write a graph as an ONNX model, for the engines that read one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from networks import Bench
from onnx import TensorProto, helper, numpy_helper

from cnnfast import ops
from cnnfast.graph import Graph, Node
from peers.graphs import exported_graph

OPSET, IR_VERSION = 17, 8
"""Old enough for every engine."""


def onnx_model(bench: Bench, batch: int | str, pixels: bool) -> onnx.ModelProto:
    """Return a network as an ONNX model.

    Parameters
    ----------
    bench : Bench
    batch : int or str
        The number of images; a name leaves it open.
    pixels : bool
        Whether the input is uint8 (N, H, W, C), normalized inside the model, or float32 (N, C, H, W) that is already.
    """
    graph = exported_graph(bench)
    (entry,), (output,) = graph.inputs, graph.outputs
    c, h, w = graph.inputs[entry]
    initializers = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    nodes = [proto for node in graph.nodes for proto in _nodes(graph, node)]
    if pixels:
        nodes = [*front(entry), *nodes]
        factor, shift = (values.reshape(c, 1, 1) for values in bench.preprocess.affine())
        initializers += [numpy_helper.from_array(factor, "factor"), numpy_helper.from_array(shift, "shift")]
        source = helper.make_tensor_value_info("pixels", TensorProto.UINT8, (batch, h, w, c))
    else:
        source = helper.make_tensor_value_info(entry, TensorProto.FLOAT, (batch, c, h, w))
    target = helper.make_tensor_value_info(output, TensorProto.FLOAT, (batch, *graph.shapes[output]))
    proto = helper.make_graph(nodes, bench.id, [source], [target], initializers)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


FRONT = ("planes", "values", "scaled", "shifted")
"""The names of the nodes that turn pixels into the network's input."""


def front(entry: str) -> list[onnx.NodeProto]:
    """Return what turns pixels into the network's input; bytes are moved, because they are the smallest."""
    return [
        helper.make_node("Transpose", ["pixels"], ["planes"], FRONT[0], perm=(0, 3, 1, 2)),
        helper.make_node("Cast", ["planes"], ["values"], FRONT[1], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["values", "factor"], ["scaled"], FRONT[2]),
        helper.make_node("Add", ["scaled", "shift"], [entry], FRONT[3]),
    ]


def _nodes(graph: Graph, node: Node) -> Iterator[onnx.NodeProto]:
    inputs = list(node.inputs)
    if isinstance(node.op, ops.Clip):
        inputs += [f"{node.name}.low", f"{node.name}.high"]
        for name, value in zip(inputs[1:], (node.op.low, node.op.high), strict=True):
            scalar = helper.make_tensor(name, TensorProto.FLOAT, (), [value])
            yield helper.make_node("Constant", [], [name], value=scalar)
    kind, attributes = _kind(node.op)
    yield helper.make_node(kind, inputs, [node.name], node.name, **attributes)


def _kind(op: ops.Op) -> tuple[str, dict[str, Any]]:
    """Return the ONNX operator that is equal to an op, and its attributes."""
    match op:
        case ops.Conv2d():
            return "Conv", {
                "strides": op.stride, "pads": op.padding, "dilations": op.dilation, "group": op.groups
            }  # fmt: skip
        case ops.MaxPool():
            return "MaxPool", {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.padding}
        case ops.Linear():
            return "Gemm", {"transB": 1}
        case ops.Softmax():
            return "Softmax", {"axis": op.axis}
        case ops.Flatten():
            return "Flatten", {"axis": 1}
        case _:
            return PLAIN[type(op)], {}


PLAIN = {
    ops.Relu: "Relu",
    ops.Clip: "Clip",
    ops.Sigmoid: "Sigmoid",
    ops.Add: "Add",
    ops.GlobalAvgPool: "GlobalAveragePool",
}
"""Ops without attributes."""
