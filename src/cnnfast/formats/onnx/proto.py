"""From a file to the protobuf message, and from its tensors to arrays; sizes are checked before memory is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.external import ExternalFiles
from cnnfast.ops import Array

MAX_BYTES = 2**31 - 1
"""No protobuf message is larger."""

MAX_ELEMENTS = 1 << 40
"""Of a tensor: more than any file holds."""

MAX_AXES = 16
"""Likewise; NumPy itself stops soon behind."""

DOMAINS = ("", "ai.onnx")
"""The names of ONNX's own operator set."""

INTEGERS = (
    TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32, TensorProto.BOOL
)  # fmt: skip
"""Kinds of tensor whose elements are in ``int32_data``, as numbers."""

HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
"""Kinds whose elements are there, as bits."""


DTYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.DOUBLE: np.dtype("<f8"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    TensorProto.INT8: np.dtype("i1"),
    TensorProto.UINT8: np.dtype("u1"),
    TensorProto.INT16: np.dtype("<i2"),
    TensorProto.UINT16: np.dtype("<u2"),
    TensorProto.INT32: np.dtype("<i4"),
    TensorProto.UINT32: np.dtype("<u4"),
    TensorProto.INT64: np.dtype("<i8"),
    TensorProto.UINT64: np.dtype("<u8"),
    TensorProto.BOOL: np.dtype("?"),
}


REAL = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
"""Types of real numbers."""


def load_model(path: Path) -> onnx.ModelProto:
    """Return the message of a file; external data is not touched yet."""
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError("the file is larger than 2 GiB, which no ONNX file is; large weights are in other files")
    return parse_model(path.read_bytes())


def parse_model(data: bytes) -> onnx.ModelProto:
    """Return the message that some bytes hold."""
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelFileError(f"this is not an ONNX file, or a damaged one: {error}") from error
    except UnicodeDecodeError as error:
        # of the protobuf that is written in Python; the other one hands the bytes over
        raise ModelFileError(f"a name is {error.object!r:.80}, which is not UTF-8 text") from error
    if not model.HasField("graph"):
        raise ModelFileError("this ONNX file holds no graph")
    _check_names(model.graph)
    return model


def _check_names(graph: onnx.GraphProto) -> None:
    """Refuse names that are not UTF-8: protobuf hands them over as bytes, which no later code expects."""
    texts = [message.name for message in (*graph.node, *graph.input, *graph.output, *graph.initializer)]
    for node in graph.node:
        texts += [node.op_type, node.domain, *node.input, *node.output]
        for attribute in node.attribute:
            texts.append(attribute.name)
            if attribute.type == onnx.AttributeProto.GRAPH:
                _check_names(attribute.g)
    for text in texts:
        if not isinstance(text, str):
            raise ModelFileError(f"a name is {text!r:.80}, which is not UTF-8 text")


def array_of(tensor: TensorProto, external: ExternalFiles | None) -> Array:
    """Return a tensor of the file as an array; ``external`` is where external data may be."""
    kind = tensor.data_type
    if kind not in DTYPES:
        known = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else kind
        raise UnsupportedError(f"tensor {tensor.name!r} holds elements of type {known}, which cnnfast does not read")
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape) or len(shape) > MAX_AXES:
        raise ModelFileError(
            f"tensor {tensor.name!r} has the shape {shape[:8]}; sizes must not be negative, nor more than {MAX_AXES}"
        )
    count = math.prod(shape)
    if math.prod(max(size, 1) for size in shape) > MAX_ELEMENTS:
        # nothing of it need be in the file, if one of the sizes is 0
        raise ModelFileError(f"tensor {tensor.name!r} has the shape {shape[:8]}; no file holds that many elements")
    if tensor.data_location == TensorProto.EXTERNAL:
        flat = _external(tensor, DTYPES[kind], count, external)
    elif tensor.HasField("raw_data"):
        flat = _whole(tensor, np.frombuffer(tensor.raw_data, np.uint8), DTYPES[kind], count)
    else:
        flat = _typed(tensor, count)
    # bfloat16 is not a type that NumPy computes with
    return (flat.astype(np.float32) if kind == TensorProto.BFLOAT16 else flat).reshape(shape)


def _whole(tensor: TensorProto, raw: Array, dtype: np.dtype[Any], count: int) -> Array:
    if raw.nbytes != count * dtype.itemsize:
        raise ModelFileError(
            f"tensor {tensor.name!r} of shape {tuple(tensor.dims)} needs {count * dtype.itemsize} bytes, "
            f"but has {raw.nbytes}"
        )
    return raw.view(dtype)


def _typed(tensor: TensorProto, count: int) -> Array:
    """Return elements that are in the message as numbers."""
    kind = tensor.data_type
    values: Sequence[Any]
    if kind in INTEGERS or kind in HALVES:
        values = tensor.int32_data
    else:
        fields: dict[int, Sequence[Any]] = {
            TensorProto.FLOAT: tensor.float_data,
            TensorProto.DOUBLE: tensor.double_data,
            TensorProto.INT64: tensor.int64_data,
        }
        values = fields.get(kind, tensor.uint64_data)
    if len(values) != count:
        raise ModelFileError(
            f"tensor {tensor.name!r} of shape {tuple(tensor.dims)} needs {count} elements, but has {len(values)}"
        )
    if kind in HALVES:
        return np.array(values, np.int64).astype(np.uint16).view(DTYPES[kind])
    wide = np.array(values, np.float64 if DTYPES[kind].kind == "f" else None)
    with np.errstate(over="ignore"):
        return wide.astype(DTYPES[kind])


def _external(tensor: TensorProto, dtype: np.dtype[Any], count: int, external: ExternalFiles | None) -> Array:
    """Read a tensor from another file, which must be in the folder of the model."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    place = f"tensor {tensor.name!r}"
    if external is None:
        raise ModelFileError(f"{place} is in the file {location!r}, but the model has no folder")
    try:
        path = external.file(location)
    except ModelFileError as error:
        raise ModelFileError(f"{place} {error}") from None
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", count * dtype.itemsize))
    except ValueError as error:
        raise ModelFileError(f"{place}: its external data is described wrongly: {error}") from None
    size = path.stat().st_size
    if offset < 0 or length != count * dtype.itemsize or offset + length > size:
        raise ModelFileError(
            f"{place} of shape {tuple(tensor.dims)} is at bytes {offset} to {offset + length} of "
            f"{location!r}, which has {size}; it needs {count * dtype.itemsize}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        return _whole(tensor, np.frombuffer(file.read(length), np.uint8), dtype, count)


def plain(attribute: AttributeProto, external: ExternalFiles | None) -> Any:
    """Return what an attribute holds."""
    if attribute.ref_attr_name:
        raise ModelFileError(f"attribute {attribute.name!r:.80} refers to one of a function, but is not in a function")
    match attribute.type:
        case AttributeProto.FLOAT:
            return attribute.f
        case AttributeProto.INT:
            return attribute.i
        case AttributeProto.STRING:
            return attribute.s.decode("utf-8", "replace")
        case AttributeProto.FLOATS:
            return list(attribute.floats)
        case AttributeProto.INTS:
            return list(attribute.ints)
        case AttributeProto.TENSOR:
            return array_of(attribute.t, external)
    kind = AttributeProto.AttributeType.Name(attribute.type) if attribute.type in range(15) else attribute.type
    raise UnsupportedError(f"attribute {attribute.name!r} is of type {kind}")
