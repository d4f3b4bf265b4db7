"""The flatbuffer of LiteRT as plain values: everything is read and checked here, so that the rest meets no damage.

The package ``tflite`` is the official schema, compiled; it checks nothing itself, and what it raises on a damaged file
is caught here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.litert.model import LiteRtModel, LiteRtTensor, Operator
from cnnfast.formats.litert.options import Tables
from cnnfast.ops import Array

MAX_TENSORS = 100_000
MAX_AXES = 8
MAX_NAME = 200
NOTHING = np.zeros(0)
COPIES = 4
"""How many times the file's size its names and lists may take."""


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
        self._data = data
        self._size = len(data)
        self._taken = 0
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._kinds = _by_number(tflite.BuiltinOperator)
        self._types = _by_number(tflite.TensorType)
        self._tables = Tables(tflite)

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
        inputs, outputs = self._indices(graph, "Inputs"), self._indices(graph, "Outputs")
        used = [index for operator in operators for index in (*operator.inputs, *operator.outputs) if index != -1]
        for index in (*used, *inputs, *outputs):
            if not 0 <= index < len(tensors):
                raise ModelFileError(f"there are {len(tensors)} tensors, but tensor {index} is used")
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnsupportedError(
                f"it has {len(inputs)} inputs and {len(outputs)} outputs; cnnfast runs networks with one of each"
            )
        self._check_open(graph.Tensors(inputs[0]), tensors[inputs[0]])
        return LiteRtModel(tensors, operators, inputs, outputs, self._size)

    def _check_counts(self, graph: Any) -> None:
        lengths = graph.TensorsLength(), graph.OperatorsLength(), self._model.OperatorCodesLength()
        # each entry of a table takes four bytes at least
        if max(lengths) > MAX_TENSORS or 4 * max(lengths) > self._size:
            raise ModelFileError(f"it states {max(lengths)} tensors or operators; at most {MAX_TENSORS} are allowed")

    def _check_open(self, tensor: Any, known: LiteRtTensor) -> None:
        signature = [int(size) for size in self._vector(tensor, "ShapeSignature", MAX_AXES)]
        if any(size < 0 for size in signature[1:]):
            raise UnsupportedError(
                f"its input {known.name!r} leaves sizes open, {signature}; cnnfast reads models for one size of image: "
                "convert it again with a fixed input shape"
            )

    def _kind(self, code: Any) -> str:
        # numbers above 126 are in the newer of the two fields
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self._kinds.get(number, f"operator {number}")
        return f"CUSTOM {_text(code.CustomCode())}" if kind == "CUSTOM" else kind

    def _tensor(self, tensor: Any, index: int) -> LiteRtTensor:
        shape = tuple(int(size) for size in self._vector(tensor, "Shape", MAX_AXES))
        if tensor.Sparsity() is not None:
            raise UnsupportedError(f"tensor {index} is sparse; save the model with dense weights")
        scales, zeros, axis = self._quantization(tensor.Quantization(), index)
        dtype = self._types.get(tensor.Type(), f"number {tensor.Type()}, which the package tflite does not know")
        text = tensor.Name() or b""
        self._take(len(text))
        return LiteRtTensor(tensor_name(text, index), shape, dtype, self._buffer(tensor.Buffer()), scales, zeros, axis)

    def _buffer(self, index: int) -> Array | None:
        if not 0 <= index < self._model.BuffersLength():
            raise ModelFileError(f"there are {self._model.BuffersLength()} buffers, but buffer {index} is used")
        buffer = self._model.Buffers(index)
        # very large models keep their weights behind the flatbuffer; 1 stands for a place not yet filled in
        if (start := buffer.Offset()) > 1:
            if start + buffer.Size() > self._size:
                raise ModelFileError(
                    f"buffer {index} ends at byte {start + buffer.Size()}, but the file has {self._size}"
                )
            return np.frombuffer(self._data, np.uint8, buffer.Size(), start) if buffer.Size() else None
        data = buffer.DataAsNumpy()
        return data if isinstance(data, np.ndarray) and data.size else None

    def _quantization(self, table: Any, index: int) -> tuple[Array, Array, int]:
        """Return scales and zero points as the file holds them: tensors may share them, so nothing is copied here."""
        if table is None or table.ScaleLength() == 0:
            return NOTHING, NOTHING, 0
        if table.DetailsType():
            raise UnsupportedError(f"tensor {index} has custom quantization; supported: scales and zero points")
        zeros = table.ZeroPointAsNumpy() if table.ZeroPointLength() else NOTHING
        return np.asarray(table.ScaleAsNumpy()), np.asarray(zeros), int(table.QuantizedDimension())

    def _operator(self, operator: Any, codes: list[str]) -> Operator:
        index = operator.OpcodeIndex()
        if not 0 <= index < len(codes):
            raise ModelFileError(f"there are {len(codes)} operator codes, but code {index} is used")
        lists = self._indices(operator, "Inputs"), self._indices(operator, "Outputs")
        return Operator(codes[index], *lists, self._tables.read(codes[index], operator))

    def _indices(self, table: Any, field: str) -> tuple[int, ...]:
        return tuple(int(v) for v in self._vector(table, field, MAX_TENSORS))

    def _vector(self, table: Any, field: str, longest: int) -> Array:
        array = getattr(table, f"{field}AsNumpy")()
        if not isinstance(array, np.ndarray):
            return NOTHING
        if array.size > longest:
            raise ModelFileError(f"a list {field} has {array.size} entries; at most {longest} are allowed")
        self._take(4 * array.size)
        return array

    def _take(self, size: int) -> None:
        """Count bytes that are copied: tables may share what they point to, and the copies do not."""
        self._taken += size
        if self._taken > COPIES * self._size:
            raise ModelFileError(
                f"its names and lists take more than {COPIES} times the {self._size} bytes of the file"
            )


def _by_number(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


def tensor_name(text: bytes, index: int) -> str:
    """Return what a tensor is called in messages and in the graph.

    Examples
    --------
    >>> tensor_name(b"sequential/conv/BiasAdd;sequential/conv/Conv2D", 3)
    'sequential/conv/Conv2D'
    """
    # names of fused operators are those of all their parts
    return _text(text).split(";")[-1][-MAX_NAME:] or f"tensor{index}"


def _text(value: bytes | None) -> str:
    text = (value or b"").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
