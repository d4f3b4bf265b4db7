"""Write a graph as a TensorFlow Lite model, channels last, the way its own converter would."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from networks import Bench

from cnnfast import ops
from cnnfast.graph import Graph, Node
from peers.graphs import exported_graph

FLOAT, INT, BYTE = schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.UINT8
TYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.int32): INT}
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
CODES = schema.BuiltinOperator

SIGNATURE, INPUT = "serving_default", "images"

FRONT = ("values", "scaled")
"""The tensors between pixels and the network's input."""


def tflite_model(bench: Bench, batch: int, pixels: bool) -> bytes:
    """Return a network as the bytes of a TensorFlow Lite model.

    Parameters
    ----------
    bench : Bench
    batch : int
    pixels : bool
        Whether the input is uint8, normalized inside the model, or float32 that is already; (N, H, W, C) both times.
    """
    writer = Writer(exported_graph(bench), batch)
    (entry,) = writer.graph.inputs
    if pixels:
        factor, shift = bench.preprocess.affine()
        source = writer.tensor("pixels", writer.shape(entry), BYTE)
        values, scaled = (writer.tensor(name, writer.shape(entry)) for name in FRONT)
        writer.emit(CODES.CAST, [source], values, "Cast", inDataType=BYTE, outDataType=FLOAT)
        writer.emit(CODES.MUL, [values, writer.constant(factor)], scaled, "Mul")
        writer.emit(CODES.ADD, [scaled, writer.constant(shift)], writer.value(entry), "Add")
    else:
        source = writer.value(entry)
    for node in writer.graph.nodes:
        write_node(writer, node)
    return writer.finish(source, writer.value(writer.graph.outputs[0]))


class Writer:
    """Collects tensors and operators of one model."""

    def __init__(self, graph: Graph, batch: int) -> None:
        self.graph, self.batch = graph, batch
        self._model = schema.ModelT()
        self._model.version, self._model.operatorCodes, self._model.buffers = 3, [], [schema.BufferT()]
        self._part = schema.SubGraphT()
        self._part.tensors, self._part.operators = [], []
        self._values: dict[str, int] = {}
        self._codes: dict[int, int] = {}

    def shape(self, value: str) -> tuple[int, ...]:
        """Return the shape of a value, channels last and with the images in front."""
        c, *size = self.graph.shapes[value]
        return (self.batch, *size, c)

    def tensor(self, name: str, shape: tuple[int, ...], kind: int = FLOAT, buffer: int = 0) -> int:
        """Add a tensor and return its number."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, buffer
        self._part.tensors.append(tensor)
        return len(self._part.tensors) - 1

    def value(self, name: str) -> int:
        """Return the number of a value's tensor."""
        if name not in self._values:
            self._values[name] = self.tensor(name, self.shape(name))
        return self._values[name]

    def constant(self, array: np.ndarray) -> int:
        """Add a tensor with contents and return its number."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        name = f"constant_{len(self._model.buffers)}"
        return self.tensor(name, array.shape, TYPES[array.dtype], len(self._model.buffers) - 1)

    def emit(self, code: int, inputs: list[int], output: int, kind: str | None = None, **options: Any) -> None:
        """Add an operator; ``kind`` names its table of options."""
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._opcode(code), inputs, [output]
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
            operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
            for name, value in options.items():
                setattr(operator.builtinOptions, name, value)
        self._part.operators.append(operator)

    def _opcode(self, code: int) -> int:
        if code not in self._codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            entry.version = 1
            self._codes[code] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(entry)
        return self._codes[code]

    def finish(self, source: int, target: int) -> bytes:
        """Return the model, given its input and output."""
        self._part.inputs, self._part.outputs = [source], [target]
        self._model.subgraphs = [self._part]
        self._model.signatureDefs = [_signature(source, target)]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _signature(source: int, target: int) -> schema.SignatureDefT:
    """Return names for both ends, by which a quantizer feeds a model."""
    entry = schema.SignatureDefT()
    entry.signatureKey, entry.subgraphIndex, entry.inputs, entry.outputs = SIGNATURE, 0, [], []
    for ends, number, name in ((entry.inputs, source, INPUT), (entry.outputs, target, "output")):
        end = schema.TensorMapT()
        end.name, end.tensorIndex = name, number
        ends.append(end)
    return entry


def write_node(writer: Writer, node: Node) -> None:
    """Add the operators that compute a node; XNNPACK itself fuses activations and explicit padding."""
    source, result = writer.value(node.inputs[0]), writer.value(node.name)
    match node.op:
        case ops.Conv2d():
            _convolution(writer, node)
        case ops.Linear():
            _dense(writer, node)
        case ops.MaxPool(kernel=(kh, kw), stride=(sh, sw)):
            source = _padded(writer, node.inputs[0], node.op.padding)
            options = dict(padding=VALID, strideH=sh, strideW=sw, filterHeight=kh, filterWidth=kw)
            writer.emit(CODES.MAX_POOL_2D, [source], result, "Pool2D", **options)
        case ops.GlobalAvgPool():
            axes = writer.constant(np.array([1, 2], np.int32))
            writer.emit(CODES.MEAN, [source, axes], result, "Reducer", keepDims=True)
        case ops.Add():
            writer.emit(CODES.ADD, [source, writer.value(node.inputs[1])], result, "Add")
        case ops.Flatten():
            shape = list(writer.shape(node.name))
            writer.emit(CODES.RESHAPE, [source, writer.constant(np.array(shape, np.int32))], result)
        case ops.Clip(low=0.0, high=6.0):
            writer.emit(CODES.RELU6, [source], result)
        case ops.Softmax():
            writer.emit(CODES.SOFTMAX, [source], result, "Softmax", beta=1.0)
        case op:
            writer.emit({ops.Relu: CODES.RELU, ops.Sigmoid: CODES.LOGISTIC}[type(op)], [source], result)


def _convolution(writer: Writer, node: Node) -> None:
    op, constants = node.op, writer.graph.constants
    weight, bias = constants[node.inputs[1]], constants[node.inputs[2]]
    filters, _, kh, kw = weight.shape
    same = op.stride == (1, 1) and op.padding == (kh // 2, kw // 2) * 2
    source = writer.value(node.inputs[0]) if same else _padded(writer, node.inputs[0], op.padding)
    options = dict(padding=SAME if same else VALID, strideH=op.stride[0], strideW=op.stride[1])
    options |= dict(dilationHFactor=1, dilationWFactor=1)
    code, kind, order = CODES.CONV_2D, "Conv2D", (0, 2, 3, 1)
    if op.groups > 1:
        code, kind, order = CODES.DEPTHWISE_CONV_2D, "DepthwiseConv2D", (1, 2, 3, 0)
        options["depthMultiplier"] = filters // op.groups
    inputs = [source, writer.constant(weight.transpose(order)), writer.constant(bias)]
    writer.emit(code, inputs, writer.value(node.name), kind, **options)


def _dense(writer: Writer, node: Node) -> None:
    """Add a dense layer; behind a flattened image its columns are those of the image with channels last."""
    weight, bias = (writer.graph.constants[v] for v in node.inputs[1:])
    before = writer.graph.by_name.get(node.inputs[0])
    if before is not None and isinstance(before.op, ops.Flatten):
        shape = writer.graph.shapes[before.inputs[0]]
        weight = weight.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(weight.shape)
    inputs = [writer.value(node.inputs[0]), writer.constant(weight), writer.constant(bias)]
    writer.emit(CODES.FULLY_CONNECTED, inputs, writer.value(node.name), "FullyConnected")


def _padded(writer: Writer, value: str, padding: tuple[int, int, int, int]) -> int:
    """Return a value inside a border of zeros; before a max-pool this is right because a ReLU comes first."""
    if not any(padding):
        return writer.value(value)
    top, left, bottom, right = padding
    n, h, w, c = writer.shape(value)
    result = writer.tensor(f"{value}:padded", (n, top + h + bottom, left + w + right, c))
    border = writer.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    writer.emit(CODES.PAD, [writer.value(value), border], result, "Pad")
    return result
