"""From a `Model` to an ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

import cnnfast.formats.onnx.writing.elements
import cnnfast.formats.onnx.writing.integers
import cnnfast.formats.onnx.writing.layers
import cnnfast.formats.onnx.writing.moves  # noqa: F401  (each of them enters its rules)
from cnnfast import __version__
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.error_context import error_context
from cnnfast.formats.model import Model
from cnnfast.formats.onnx.proto import MAX_BYTES
from cnnfast.formats.onnx.writing.metadata import PRODUCER, write_metadata
from cnnfast.formats.onnx.writing.rules import WRITE_RULES
from cnnfast.formats.onnx.writing.target import BATCH, WriteCall, WriteTarget
from cnnfast.graph import Graph
from cnnfast.graph.passes import fold_constants
from cnnfast.ops import Shape
from cnnfast.runtime.outputs import replacing

OPSET, IR_VERSION = 17, 8
"""The operator set, and the version of the file that belongs to it; both are of June 2022."""


def save_onnx(model: Model, path: Path) -> None:
    """Write a model as an ONNX file: all of it or nothing, and the same bytes for the same model.

    Raises
    ------
    UnsupportedError
        If it has ops that cannot be written; all of them are listed.
    ModelFileError
        If the file would be larger than 2 GiB.
    OutputError
        If the file cannot be written.
    """
    with error_context(path):
        held = sum(array.nbytes for array in model.graph.constants.values())
        if held > MAX_BYTES:
            raise ModelFileError(f"an ONNX file holds up to 2 GiB, but the weights have {held:,} bytes")
        content = message_of(model).SerializeToString(deterministic=True)
    with replacing(path) as file:
        file.write(content)


def message_of(model: Model) -> onnx.ModelProto:
    """Return a model as the message of an ONNX file.

    Raises
    ------
    UnsupportedError
        If it has ops that cannot be written; all of them are listed.
    """
    graph = _computed_from_images(model.graph)
    missing = sorted({node.op.name for node in graph.nodes if type(node.op) not in WRITE_RULES})
    if missing:
        raise UnsupportedError(f"these ops cannot be written as ONNX yet: {', '.join(missing)}")
    target = WriteTarget({*graph.inputs, *graph.constants, *graph.by_name})
    for node in graph.nodes:
        WRITE_RULES[type(node.op)](WriteCall(node, graph, target))
    ((image, shape),), (output,) = graph.inputs.items(), graph.outputs
    message = helper.make_model(
        helper.make_graph(
            target.nodes,
            "network",
            [_described(image, shape)],
            [_described(output, graph.shapes[output])],
            list(target.tensors.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
        producer_version=__version__,
    )
    write_metadata(message, model)
    return message


def _described(name: str, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape])


def _computed_from_images(graph: Graph) -> Graph:
    """Return the graph without nodes that read constants alone, whose results would lack the axis of the images."""
    if any(all(name in graph.constants for name in node.inputs) for node in graph.nodes):
        return fold_constants(graph)
    return graph
