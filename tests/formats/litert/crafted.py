"""Files of LiteRT written by hand, and what the network in them computes; no converter is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from cnnfast.ops import Array

INPUT = (6, 5, 3)
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
TYPES |= {"int4": 17, "bfloat16": 18, "float8": 100}


@dataclass
class Tensor:
    """A value, or a constant with its data; scales make it quantized."""

    name: str
    shape: Sequence[int]
    data: Array | None = None
    scales: Sequence[float] = ()
    zeros: Sequence[int] = ()
    axis: int = 0
    dtype: str = "float32"


@dataclass
class Operator:
    """An operator; the table of options by its name, with its fields."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    table: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def model_bytes(
    tensors: list[Tensor], operators: list[Operator], inputs: Sequence[int] = (0,), outputs: Sequence[int] = (-1,)
) -> bytes:
    """Return a file with one graph."""
    b = flatbuffers.Builder(1024)
    kinds = list(dict.fromkeys(operator.kind for operator in operators))
    codes = _tables(b, "Model", "OperatorCodes", [_code(b, kind) for kind in kinds])
    buffers = [_buffer(b, None), *(_buffer(b, t.data) for t in tensors)]
    scales: dict[int, int] = {}
    written = [_tensor(b, tensor, number, scales) for number, tensor in enumerate(tensors, 1)]
    steps = [_operator(b, operator, kinds.index(operator.kind)) for operator in operators]
    lists = {
        "Tensors": _tables(b, "SubGraph", "Tensors", written),
        "Inputs": _ints(b, inputs),
        "Outputs": _ints(b, [output % len(tensors) for output in outputs]),
        "Operators": _tables(b, "SubGraph", "Operators", steps),
    }
    graph = _table(b, "SubGraph", lists)
    parts = {
        "OperatorCodes": codes,
        "Subgraphs": _tables(b, "Model", "Subgraphs", [graph]),
        "Buffers": _tables(b, "Model", "Buffers", buffers),
    }
    b.Finish(_table(b, "Model", {"Version": 3, **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())


def _table(b: Any, kind: str, fields: dict[str, Any]) -> int:
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(b, value)
    end: int = getattr(tflite, f"{kind}End")(b)
    return end


def _tables(b: Any, owner: str, name: str, offsets: list[int]) -> int:
    getattr(tflite, f"{owner}Start{name}Vector")(b, len(offsets))
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    end: int = b.EndVector()
    return end


def _ints(b: Any, values: Sequence[int]) -> int:
    offset: int = b.CreateNumpyVector(np.array(values, np.int32))
    return offset


def _number(b: Any, value: Any) -> Any:
    return _ints(b, value) if isinstance(value, list | tuple) else value


def _code(b: Any, kind: str) -> int:
    number = getattr(tflite.BuiltinOperator, kind)
    return _table(b, "OperatorCode", {"DeprecatedBuiltinCode": min(number, 127), "BuiltinCode": number})


def _buffer(b: Any, data: Array | None) -> int:
    if data is None:
        return _table(b, "Buffer", {})
    return _table(b, "Buffer", {"Data": b.CreateNumpyVector(np.frombuffer(data.tobytes(), np.uint8))})


def _tensor(b: Any, tensor: Tensor, buffer: int, known: dict[int, int]) -> int:
    """Write a tensor; those that were given one and the same list of scales share it in the file."""
    fields: dict[str, Any] = {}
    if len(tensor.scales) and id(tensor.scales) not in known:
        quantized = {
            "Scale": b.CreateNumpyVector(np.array(tensor.scales, np.float32)),
            "ZeroPoint": b.CreateNumpyVector(np.array(tensor.zeros, np.int64)),
            "QuantizedDimension": tensor.axis,
        }
        known[id(tensor.scales)] = _table(b, "QuantizationParameters", quantized)
    if len(tensor.scales):
        fields["Quantization"] = known[id(tensor.scales)]
    is_of_data = tensor.data is not None and tensor.dtype == "float32"
    dtype = str(tensor.data.dtype) if is_of_data else tensor.dtype
    name, shape = b.CreateString(tensor.name), _ints(b, tensor.shape)
    return _table(b, "Tensor", {"Shape": shape, "Type": TYPES[dtype], "Buffer": buffer, "Name": name} | fields)


def _operator(b: Any, operator: Operator, code: int) -> int:
    fields: dict[str, Any] = {}
    if operator.table:
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.table)
        fields["BuiltinOptions"] = _table(b, operator.table, {k: _number(b, v) for k, v in operator.options.items()})
    lists = {"Inputs": _ints(b, operator.inputs), "Outputs": _ints(b, operator.outputs)}
    return _table(b, "Operator", {"OpcodeIndex": code} | lists | fields)


def network(seed: int = 0, quantized: bool = False) -> tuple[list[Tensor], list[Operator]]:
    """Return a small network: convolution, depthwise convolution, sum, pool, dense layer, softmax."""
    rng = np.random.default_rng(seed)

    def weight(name: str, shape: Sequence[int], axis: int) -> Tensor:
        if not quantized:
            return Tensor(name, shape, rng.standard_normal(shape).astype(np.float32))
        scales = rng.uniform(0.005, 0.02, shape[axis]).tolist()
        return Tensor(name, shape, rng.integers(-127, 128, shape, dtype=np.int8), scales, [0] * len(scales), axis)

    def bias(name: str, size: int) -> Tensor:
        if not quantized:
            return Tensor(name, [size], rng.standard_normal(size).astype(np.float32))
        return Tensor(name, [size], rng.integers(-1000, 1000, size, dtype=np.int32), [0.001], [0])

    def value(name: str, *shape: int, scale: float = 0.1, zero: int = 3) -> Tensor:
        if not quantized:
            return Tensor(name, shape)
        return Tensor(name, shape, None, [scale], [zero], dtype="int8")

    tensors = [
        value("pixels", 1, *INPUT, scale=1 / 127.5, zero=0),
        weight("conv/w", (4, 3, 3, 3), 0),
        bias("conv/b", 4),
        value("conv", 1, 6, 5, 4),
        weight("depthwise/w", (1, 2, 2, 4), 3),
        bias("depthwise/b", 4),
        value("depthwise", 1, 6, 5, 4),
        value("sum", 1, 6, 5, 4),
        value("pool", 1, 3, 2, 4),
        Tensor("shape", [2], np.array([-1, 24], np.int32)),
        value("flat", 1, 24),
        weight("dense/w", (5, 24), 0),
        bias("dense/b", 5),
        value("dense", 1, 5),
        value("probabilities", 1, 5),
    ]
    window = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    pool = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    depthwise = window | {"DepthMultiplier": 1}
    operators = [
        Operator("CONV_2D", [0, 1, 2], [3], "Conv2DOptions", window | {"FusedActivationFunction": 1}),
        Operator("DEPTHWISE_CONV_2D", [3, 4, 5], [6], "DepthwiseConv2DOptions", depthwise),
        Operator("ADD", [6, 3], [7], "AddOptions", {"FusedActivationFunction": 3}),
        Operator("MAX_POOL_2D", [7], [8], "Pool2DOptions", pool),
        Operator("RESHAPE", [8, 9], [10]),
        Operator("FULLY_CONNECTED", [10, 11, 12], [13], "FullyConnectedOptions", {}),
        Operator("SOFTMAX", [13], [14], "SoftmaxOptions", {"Beta": 0.5}),
    ]
    return tensors, operators


def expected(tensors: list[Tensor], images: Array) -> Array:
    """Compute `network` in float64, for images (N, H, W, C) of real numbers; quantized values end where 8 bits end."""

    def held(name: str, values: Array) -> Array:
        (tensor,) = (tensor for tensor in tensors if tensor.name == name)
        ends = (
            (np.array([-128.0, 127]) - tensor.zeros) * np.float32(tensor.scales) if tensor.scales else [-np.inf, np.inf]
        )
        return np.clip(values, *ends)

    real = {tensor.name: _real(tensor) for tensor in tensors if tensor.data is not None}
    y = np.maximum(_convolved(images, real["conv/w"].transpose(1, 2, 3, 0), (1, 1)) + real["conv/b"], 0)
    y = held("conv", y)
    each = np.zeros((2, 2, 4, 4))
    each[:, :, range(4), range(4)] = real["depthwise/w"][0]
    z = held("depthwise", _convolved(y, each, (0, 1)) + real["depthwise/b"])
    y = np.clip(y + z, 0, 6)[:, :6, :4].reshape(len(images), 3, 2, 2, 2, 4).max(axis=(2, 4))
    scores = np.exp(held("dense", y.reshape(len(images), -1) @ real["dense/w"].T + real["dense/b"]) * 0.5)
    return scores / scores.sum(axis=1, keepdims=True)


def _real(tensor: Tensor) -> Array:
    assert tensor.data is not None
    data = tensor.data.astype(np.float64)
    if not tensor.scales:
        return data
    sides = [-1 if axis == tensor.axis else 1 for axis in range(data.ndim)]
    scales, zeros = (np.array(v, np.float32).astype(np.float64).reshape(sides) for v in (tensor.scales, tensor.zeros))
    return (data - zeros) * scales


def _convolved(x: Array, kernel: Array, padding: tuple[int, int]) -> Array:
    """Convolve with stride 1, all sides padded by (before, after), for a kernel (KH, KW, C, OC)."""
    padded = np.pad(x, ((0, 0), padding, padding, (0, 0)))
    y = np.zeros((*x.shape[:3], kernel.shape[3]))
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            y += padded[:, row : row + x.shape[1], column : column + x.shape[2]] @ kernel[row, column]
    return y
