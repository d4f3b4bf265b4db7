"""Where an ONNX file says what its integers stand for: at its Q and DQ nodes, or in QLinear operators."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from cnnfast.formats.integers import FoundIntegers
from cnnfast.formats.onnx.translate import Translation
from cnnfast.formats.onnx.values import OnnxImages, Static
from cnnfast.graph import Graph
from cnnfast.ops import Array, Clip, Conv2d, Linear, Relu

OPERANDS = {"Conv": (1,), "Gemm": (1,), "MatMul": (1,), "QLinearConv": (3, 4), "QLinearMatMul": (3, 4), "QGemm": (3, 4)}
"""Where the weights are among the inputs: as floats behind a DequantizeLinear, or as integers and their scale."""


def integers_in(done: Translation, graph: Graph) -> FoundIntegers:
    """Return what the integers of a file stand for, as far as constants say it."""
    found = FoundIntegers()
    for value in done.values.values():
        if isinstance(value, OnnxImages) and value.integers is not None:
            meaning = value.integers
            if not isinstance(meaning.scale, str) and not isinstance(meaning.zero, str):
                found.note(value.name, meaning.dtype.name, meaning.scale, meaning.zero)
    makers = {name: node for node in done.graph.node for name in node.output}
    for node in done.graph.node:
        if node.op_type in OPERANDS and (layer := _layer(graph, node.output[0])) is not None:
            scales = _scales(done, node, makers, graph.shapes[layer][0])
            if scales is None:
                found.in_float[layer] = "its weights are not integers with a scale for each output in the file"
            else:
                found.scales[layer] = scales
    return found


def _layer(graph: Graph, name: str) -> str | None:
    """Return the layer of the graph that makes a result of the file, behind what limits it."""
    node = graph.by_name.get(name)
    while node is not None and isinstance(node.op, Clip | Relu):
        node = graph.by_name.get(node.inputs[0])
    return node.name if node is not None and isinstance(node.op, Conv2d | Linear) else None


def _scales(done: Translation, node: NodeProto, makers: dict[str, NodeProto], outputs: int) -> Array | None:
    """Return the scale of each output's weights, or None if there are none."""
    names = [node.input[i] for i in OPERANDS[node.op_type]]
    if len(names) == 1:
        maker = makers.get(names[0])
        if maker is None or maker.op_type != "DequantizeLinear":
            return None
        names = list(maker.input[:2])
    weights, scales = (done.values.get(name) for name in names)
    if not isinstance(weights, Static) or not isinstance(scales, Static) or weights.array.dtype.itemsize != 1:
        return None
    if scales.array.size not in (1, outputs):
        return None
    return np.broadcast_to(scales.array.astype(np.float64).reshape(-1), (outputs,))
