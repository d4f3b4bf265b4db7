"""The flatbuffer of LiteRT as plain values: everything is read and checked here, so that the rest meets no damage.

The package ``tflite`` is the official schema, compiled; it checks nothing itself, and what it raises on a damaged file
is caught here.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, GraphError, ModelFileError, UnsupportedError
from cnnfast.ops import Array, Shape

MAX_TENSORS = 100_000
MAX_AXES = 8
MAX_NAME = 200
EXPANSION = 16
"""How many times the file's size its constants may take in memory: int8 becomes float32, and buffers are shared."""

DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1", 10: "<f8", 16: "<u2"}
"""NumPy's names for the types of tensors, by the number in the schema."""

OPTIONS = {
    "ADD": ("AddOptions", "FusedActivationFunction"),
    "SUB": ("SubOptions", "FusedActivationFunction"),
    "MUL": ("MulOptions", "FusedActivationFunction"),
    "DIV": ("DivOptions", "FusedActivationFunction"),
    "CONV_2D": (
        "Conv2DOptions",
        *("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        *("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", "FusedActivationFunction", "WeightsFormat", "KeepNumDims"),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        *("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "MAX_POOL_2D": (
        "Pool2DOptions",
        *("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "CONCATENATION": ("ConcatenationOptions", "Axis", "FusedActivationFunction"),
    "SOFTMAX": ("SoftmaxOptions", "Beta"),
    "LEAKY_RELU": ("LeakyReluOptions", "Alpha"),
    "GELU": ("GeluOptions", "Approximate"),
    "MEAN": ("ReducerOptions", "KeepDims"),
    "SUM": ("ReducerOptions", "KeepDims"),
    "REDUCE_MAX": ("ReducerOptions", "KeepDims"),
    "REDUCE_MIN": ("ReducerOptions", "KeepDims"),
    "MIRROR_PAD": ("MirrorPadOptions", "Mode"),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        *("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", "AlignCorners", "HalfPixelCenters"),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", "AlignCorners", "HalfPixelCenters"),
}
"""The table of options of each operator, and what is read of it; Conv2DOptions.StrideH becomes StrideH."""


@dataclass(frozen=True)
class Tensor:
    """A value of the file.

    Attributes
    ----------
    name : str
    shape : Shape
        With N in front, as in the file.
    dtype : str
        NumPy's name of its type.
    buffer : bytes-like or None
        The contents of a constant.
    scales, zeros : array
        Of a quantised tensor, one or one for each index along ``axis``; empty otherwise.
    """

    name: str
    shape: Shape
    dtype: str
    buffer: Array | None
    scales: Array
    zeros: Array
    axis: int


@dataclass(frozen=True)
class Operator:
    """An operator, by its name in the schema; inputs and outputs are numbers of tensors, -1 for one left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


@dataclass
class LiteRtModel:
    """The main graph of a file."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int
    _used: int = field(default=0)

    def array(self, index: int) -> Array | None:
        """Return a constant as the numbers that it stands for, None for a value that is computed.

        Raises
        ------
        ModelFileError
            If it does not have the bytes that its shape needs.
        """
        tensor = self.tensors[index]
        if tensor.buffer is None:
            return None
        dtype = np.dtype(tensor.dtype)
        needed = math.prod(tensor.shape) * dtype.itemsize
        if tensor.buffer.size != needed:
            raise ModelFileError(
                f"tensor {tensor.name!r}: {tensor.dtype} of shape {tensor.shape} takes {needed} bytes, but its buffer "
                f"has {tensor.buffer.size}"
            )
        self._used += max(needed, 4 * math.prod(tensor.shape))
        if self._used > EXPANSION * self.size:
            raise ModelFileError(f"its constants take more than {EXPANSION} times the {self.size} bytes of the file")
        raw = tensor.buffer.view(dtype).reshape(tensor.shape)
        return raw if tensor.scales.size == 0 else _dequantised(tensor, raw)

    def byte_to_input(self) -> tuple[float, float]:
        """Return (factor, offset): what the byte of a picture means to the input."""
        tensor = self.tensors[self.inputs[0]]
        if tensor.scales.size != 1 or tensor.dtype not in ("u1", "i1"):
            return 1.0, 0.0
        scale, zero = float(tensor.scales[0]), float(tensor.zeros[0])
        return scale, -scale * (zero + 128 if tensor.dtype == "i1" else zero)


def _dequantised(tensor: Tensor, raw: Array) -> Array:
    sides = [1] * raw.ndim
    if tensor.scales.size > 1:
        if not 0 <= tensor.axis < raw.ndim or raw.shape[tensor.axis] != tensor.scales.size:
            raise ModelFileError(
                f"tensor {tensor.name!r} {tensor.shape} has {tensor.scales.size} scales along axis {tensor.axis}"
            )
        sides[tensor.axis] = -1
    result: Array = (raw.astype(np.float64) - tensor.zeros.reshape(sides)) * tensor.scales.reshape(sides)
    return result.astype(np.float32)


def need_tflite() -> None:
    """Raise `ConfigError` where the package tflite is missing."""
    with needs("reading a model of LiteRT", "cnnfast[litert]"):
        import tflite  # noqa: F401


def read_model(path: Path) -> LiteRtModel:
    """Read the main graph of a file.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    UnsupportedError
        If it has several inputs or outputs.
    """
    import tflite

    data = path.read_bytes()
    try:
        return _Reader(tflite, data).model()
    # what the compiled schema meets when it follows an offset to where nothing is
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, MemoryError) as error:
        if isinstance(error, ModelFileError | GraphError | ConfigError):
            raise
        raise ModelFileError(f"the flatbuffer is damaged: {type(error).__name__}: {error}") from error


class _Reader:
    def __init__(self, tflite: Any, data: bytes) -> None:
        self._tflite = tflite
        self._size = len(data)
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._kinds = {
            number: name for name, number in vars(tflite.BuiltinOperator).items() if not name.startswith("_")
        }

    def model(self) -> LiteRtModel:
        if self._model.Version() != 3:
            raise ModelFileError(f"it is of version {self._model.Version()} of the schema; cnnfast reads version 3")
        if self._model.SubgraphsLength() < 1:
            raise ModelFileError("it holds no graph")
        graph = self._model.Subgraphs(0)
        self._check_counts(graph)
        codes = [self._kind(self._model.OperatorCodes(i)) for i in range(self._model.OperatorCodesLength())]
        tensors = tuple(self._tensor(graph.Tensors(i), i) for i in range(graph.TensorsLength()))
        operators = tuple(self._operator(graph.Operators(i), codes) for i in range(graph.OperatorsLength()))
        inputs, outputs = _indices(graph, "Inputs"), _indices(graph, "Outputs")
        used = [index for operator in operators for index in (*operator.inputs, *operator.outputs) if index != -1]
        for index in (*used, *inputs, *outputs):
            if not 0 <= index < len(tensors):
                raise ModelFileError(f"there are {len(tensors)} tensors, but tensor {index} is used")
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnsupportedError(
                f"it has {len(inputs)} inputs and {len(outputs)} outputs; cnnfast runs networks with one of each"
            )
        return LiteRtModel(tensors, operators, inputs, outputs, self._size)

    def _check_counts(self, graph: Any) -> None:
        lengths = graph.TensorsLength(), graph.OperatorsLength(), self._model.OperatorCodesLength()
        # each entry of a table takes four bytes at least
        if max(lengths) > MAX_TENSORS or 4 * max(lengths) > self._size:
            raise ModelFileError(f"it states {max(lengths)} tensors or operators; at most {MAX_TENSORS} are allowed")

    def _kind(self, code: Any) -> str:
        # numbers above 126 stand in the newer of the two fields
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self._kinds.get(number, f"operator {number}")
        return f"CUSTOM {_text(code.CustomCode())}" if kind == "CUSTOM" else kind

    def _tensor(self, tensor: Any, index: int) -> Tensor:
        shape = tuple(int(size) for size in _vector(tensor.ShapeAsNumpy(), MAX_AXES, "axes"))
        if tensor.Sparsity() is not None:
            raise UnsupportedError(f"tensor {index} is sparse; save the model with dense weights")
        scales, zeros, axis = self._quantisation(tensor.Quantization())
        # names of fused operators are those of all their parts
        name = _text(tensor.Name()).split(";")[-1][-MAX_NAME:]
        dtype = DTYPES.get(tensor.Type(), "")
        return Tensor(name or f"tensor{index}", shape, dtype, self._buffer(tensor.Buffer()), scales, zeros, axis)

    def _buffer(self, index: int) -> Array | None:
        if not 0 <= index < self._model.BuffersLength():
            raise ModelFileError(f"there are {self._model.BuffersLength()} buffers, but buffer {index} is used")
        data = self._model.Buffers(index).DataAsNumpy()
        return data if isinstance(data, np.ndarray) and data.size else None

    def _quantisation(self, table: Any) -> tuple[Array, Array, int]:
        if table is None or table.ScaleLength() == 0:
            return np.zeros(0), np.zeros(0), 0
        scales = np.asarray(table.ScaleAsNumpy(), np.float64)
        zeros = np.zeros(scales.size) if table.ZeroPointLength() == 0 else np.asarray(table.ZeroPointAsNumpy(), float)
        if zeros.size == 1:
            zeros = np.broadcast_to(zeros, scales.shape)
        if zeros.shape != scales.shape or not np.isfinite(scales).all():
            raise ModelFileError(f"a tensor has {scales.size} scales, {zeros.size} zero points, or one not finite")
        return scales, zeros, int(table.QuantizedDimension())

    def _operator(self, operator: Any, codes: list[str]) -> Operator:
        index = operator.OpcodeIndex()
        if not 0 <= index < len(codes):
            raise ModelFileError(f"there are {len(codes)} operator codes, but code {index} is used")
        return Operator(
            codes[index],
            _indices(operator, "Inputs"),
            _indices(operator, "Outputs"),
            self._options(codes[index], operator),
        )

    def _options(self, kind: str, operator: Any) -> dict[str, Any]:
        if kind not in OPTIONS:
            return {}
        name, *fields = OPTIONS[kind]
        table = operator.BuiltinOptions()
        options = getattr(self._tflite, name)()
        if table is None:
            # what is left out has its default
            return {key: {"Beta": 1.0, "DilationHFactor": 1, "DilationWFactor": 1}.get(key, 0) for key in fields}
        options.Init(table.Bytes, table.Pos)
        return {key: getattr(options, key)() for key in fields}


def _vector(values: Any, longest: int, what: str) -> Array:
    array = values if isinstance(values, np.ndarray) else np.zeros(0, np.int32)
    if array.size > longest:
        raise ModelFileError(f"{array.size} {what}; at most {longest} are allowed")
    return array


def _indices(table: Any, field_name: str) -> tuple[int, ...]:
    return tuple(int(v) for v in _vector(getattr(table, f"{field_name}AsNumpy")(), MAX_TENSORS, "tensors in one list"))


def _text(value: bytes | None) -> str:
    text = (value or b"").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
