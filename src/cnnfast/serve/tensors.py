"""Tensors of the Open Inference Protocol: in JSON, or in binary behind it."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.serve.exchange import RequestError, as_json
from cnnfast.serve.limits import MAX_IMAGES

PIXELS, VALUES, PICTURES = "pixels", "values", "pictures"
"""The inputs, of which a request has one: bytes, floats, or files."""

BYTE, FLOAT, TEXT, TRUTH = "UINT8", "FP32", "BYTES", "BOOL"
"""Types of the protocol."""

_DTYPES: dict[str, np.dtype[Any]] = {BYTE: np.dtype(np.uint8), FLOAT: np.dtype("<f4")}


@frozen
class TensorSpec:
    """An input or output of a model; -1 is any number of images."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as the protocol states it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def checked_shape(spec: TensorSpec, shape: Any) -> tuple[int, ...]:
    """Return the shape that a request states for an input, if it can be, before anything is made of it."""
    whole = isinstance(shape, list) and all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
    if (
        not whole
        or len(shape) != len(spec.shape)
        or any(a != b for a, b in zip(shape, spec.shape, strict=True) if b > 0)
    ):
        raise RequestError(400, f"the shape of {spec.name} must be {list(spec.shape)}, -1 being the number of images")
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise RequestError(
            400, f"a request must have 1 to {MAX_IMAGES} images, but the shape of {spec.name} is {shape}"
        )
    return tuple(shape)


def array_of_binary(spec: TensorSpec, shape: tuple[int, ...], data: memoryview) -> Array:
    """Return an array of what is behind the JSON."""
    dtype = _DTYPES[spec.datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise RequestError(400, f"{spec.name} of shape {list(shape)} takes {expected} bytes, but has {len(data)}")
    array: Array = np.frombuffer(data, dtype).reshape(shape)
    return array


def array_of_json(spec: TensorSpec, shape: tuple[int, ...], data: Any) -> Array:
    """Return an array of numbers in a flat or nested list."""
    numbers = _flat(data, shape)
    types = None if numbers is None else set(map(type, numbers))
    if numbers is None or types is None or not types <= {int, float} or len(numbers) != math.prod(shape):
        raise RequestError(400, f"the data of {spec.name} must be numbers, in a flat list or in lists of its shape")
    if spec.datatype == BYTE and (types != {int} or min(numbers) < 0 or max(numbers) > 255):
        raise RequestError(400, f"the data of {spec.name} must be integers from 0 to 255")
    with np.errstate(over="ignore"):
        return np.array(numbers, _DTYPES[spec.datatype]).reshape(shape)


def _flat(data: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """Return the elements of a list that is flat or has the given shape; None if it is neither."""
    if not isinstance(data, list):
        return None
    if not data or not isinstance(data[0], list):
        return data
    items = [data]
    for size in shape:
        if not all(isinstance(item, list) and len(item) == size for item in items):
            return None
        items = list(chain.from_iterable(items))
    return items


def files_of_binary(count: int, data: memoryview) -> list[bytes]:
    """Return the elements of a tensor of bytes: each is its length in four bytes, then itself."""
    files, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
        if length > len(data) - at:
            break
        files.append(bytes(data[at : at + length]))
        at += length
        if len(files) > count:
            break
    if at != len(data) or len(files) != count:
        raise RequestError(
            400, f"the binary data of {PICTURES} must be {count} times a length of 4 bytes and that many"
        )
    return files


def files_of_json(count: int, data: Any) -> list[bytes]:
    """Return the elements of a tensor of bytes, which JSON holds in base64."""
    if not isinstance(data, list) or len(data) != count or not all(isinstance(item, str) for item in data):
        raise RequestError(400, f"the data of {PICTURES} must be a list of as many texts as its shape says, in base64")
    try:
        return [base64.b64decode(item, validate=True) for item in data]
    except (binascii.Error, ValueError):
        raise RequestError(400, f"the data of {PICTURES} is not in base64") from None


def binary_of(array: Array) -> bytes:
    """Return an output as binary data.

    Examples
    --------
    >>> binary_of(np.array(["cat"]))
    b'\\x03\\x00\\x00\\x00cat'
    """
    if array.dtype.kind == "f":
        return array.astype("<f4", copy=False).tobytes()
    if array.dtype.kind == "b":
        return array.tobytes()
    return b"".join(map(binary_text, array.ravel().tolist()))


def binary_text(item: object) -> bytes:
    """Return an element of a tensor of bytes: its length in four bytes, then itself."""
    text = str(item).encode("utf-8")
    return struct.pack("<I", len(text)) + text


def json_of(array: Array) -> bytes:
    """Return an output as JSON, a flat list.

    Examples
    --------
    >>> json_of(np.array([[0.1, 1e-9]], np.float32)), json_of(np.array([3]))
    (b'[0.1,1e-09]', b'["3"]')
    """
    if array.dtype.kind == "f":
        # as text at once: what NumPy writes of a float32 is the shortest number that stands for it, and JSON as well
        return f"[{','.join(map(str, array.astype(np.float32, copy=False).ravel()))}]".encode("ascii")
    items = array.ravel().tolist()
    return as_json(items if array.dtype.kind == "b" else [str(item) for item in items])


def mapping_of(value: Any, what: str) -> Mapping[str, Any]:
    """Return an object of JSON, or raise `RequestError`."""
    if not isinstance(value, dict):
        raise RequestError(400, f"{what} must be an object of JSON")
    return value
