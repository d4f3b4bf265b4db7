"""The safetensors container: a length, a JSON header, and the tensors one after the other.

Reading takes no memory besides the header: tensors are read-only views of the buffer. The package ``safetensors`` is
the second opinion of the tests, not used here, for three reasons: it writes metadata in an order that changes from run
to run, it copies what it reads, and it names neither tensor nor byte when a file is damaged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.strict_json import parse
from cnnfast.ops import Array
from cnnfast.runtime.mapped import mapped_file
from cnnfast.runtime.outputs import replacing

METADATA = "__metadata__"
MAX_HEADER = 3 << 20
"""A graph of 20,000 nodes fits; the worst header of this size takes less than 100 MB as Python objects."""
MAX_CONTAINERS = 200_000
MAX_NAME = 512
MAX_RANK = 8
MAP_ABOVE = 64 << 20
"""Larger files are mapped, not read; a mapped file must stay as it is while the model lives."""

Dtypes = dict[str, np.dtype[Any]]
DTYPES: Dtypes = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
"""What a model file of cnnfast holds; integers are for ops on bytes."""
BFLOAT16: np.dtype[Any] = np.dtype([("bfloat16", "<u2")])
"""NumPy has no bfloat16: the upper half of a float32, in a separate dtype that no integer is mistaken for."""
ALL_DTYPES: Dtypes = DTYPES | {
    "BF16": BFLOAT16,
    **{f"{kind}{8 * size}": np.dtype(f"<{kind.lower()}{size}") for kind in "IU" for size in (1, 2, 4, 8)},
    "BOOL": np.dtype("?"),
}
"""What third-party files may hold."""
NARROW = ("F8_", "F6_", "F4", "I4", "U4", "C64", "C128")
"""How the codes of what the container may hold and NumPy does not begin: floats of 8, 6 and 4 bits, pairs of 4 bits."""


@frozen
class TensorEntry:
    """One tensor of the header: where it is, counted from the end of the header."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def pack(metadata: Mapping[str, str], arrays: Mapping[str, Array]) -> tuple[bytes, list[Array]]:
    """Return the first bytes of a file, up to the end of its header, and the arrays in the order that follows it.

    The same arrays and metadata give the same bytes, in whatever order the arrays come.

    Raises
    ------
    ModelFileError
        For a name or dtype that the file cannot hold.
    """
    if METADATA in arrays:
        raise ModelFileError(f"a tensor is called {METADATA!r}, which the container keeps for itself; rename it")
    header: dict[str, object] = {METADATA: dict(metadata)}
    ordered: list[Array] = []
    position = 0
    # The widest first, so that every tensor is aligned to its items.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        begin, position = position, position + array.nbytes
        code = _code(name, array.dtype)
        entry = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, position]}
        header[check_name(name, "tensor")] = entry
        ordered.append(np.ascontiguousarray(array, DTYPES[code]))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, ordered


def _code(name: str, dtype: np.dtype[Any]) -> str:
    for code, known in DTYPES.items():
        if dtype == known:
            return code
    raise ModelFileError(
        f"the tensor {name!r} is {dtype}; a model file holds float32, float64 and float16, and int8, uint8 and int32 "
        "for ops on bytes: convert it"
    )


def bytes_of(path: Path, least: int, mapped: bool = False) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the content of a file, in memory or, if it is large or that is asked for, mapped.

    Raises
    ------
    ModelFileError
        If it is not a file or shorter than ``least`` bytes.
    """
    if path.exists() and not path.is_file():
        raise ModelFileError("not a file")
    size = path.stat().st_size
    if size < least:
        raise ModelFileError(f"the file has {size} bytes, but even the start of a model file has {least}")
    return mapped_file(path) if mapped or size > MAP_ABOVE else np.fromfile(path, np.uint8)


def as_bytes(array: Array) -> memoryview:
    """Return the bytes of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def write(path: Path, header: bytes, arrays: Iterable[Array]) -> None:
    """Write what `pack` gave to a file: all of it or nothing; an existing file is replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with replacing(path) as file:
        file.write(header)
        for array in arrays:
            file.write(as_bytes(array))


def read_header(data: Array, foreign: bool = False) -> tuple[dict[str, Any], int]:
    """Return the header of a buffer of bytes, and where the tensors begin.

    Raises
    ------
    ModelFileError
        If the header does not fit the buffer, is too large, or is not JSON.
    """
    if data.size < 8:
        raise ModelFileError(f"the file has {data.size} bytes, but its first 8 are the length of the header")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > MAX_HEADER:
        raise ModelFileError(f"bytes 0 to 7 state a header of {length} bytes; at most {MAX_HEADER} are allowed")
    if 8 + length > data.size:
        raise ModelFileError(f"truncated: the header has {length} bytes, but only {data.size - 8} follow its length")
    raw = data[8 : 8 + length].tobytes()
    if not foreign and not raw.isascii():
        raise ModelFileError("the header holds bytes above 127; all of it must be ASCII")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(f"the header is not UTF-8 text: {error.reason} at byte {8 + error.start}") from None
    header = parse(text, "header", MAX_CONTAINERS)
    if not isinstance(header, dict):
        raise ModelFileError(f"the header must be a JSON object, but is a {type(header).__name__}")
    return header, 8 + length


def unpack(data: Array, foreign: bool = False) -> tuple[dict[str, str], dict[str, Array]]:
    """Return the metadata and the tensors of a buffer of bytes; every size is checked before anything is touched.

    Parameters
    ----------
    data : uint8 array
        The whole file, in memory or mapped.
    foreign : bool
        Whether it is a third-party file: then there may be more dtypes (`ALL_DTYPES`), and text beyond ASCII.

    Returns
    -------
    metadata : dict of str to str
    arrays : dict of str to array
        Read-only views of ``data``; copies where the file does not align a tensor.

    Raises
    ------
    ModelFileError
        For any damage, with the tensor and the rule.
    """
    header, start = read_header(data, foreign)
    dtypes = ALL_DTYPES if foreign else DTYPES
    metadata = header.pop(METADATA, {})
    if foreign and metadata is None:
        metadata = {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelFileError(f"{METADATA} of the header must map names to strings")
    entries = sorted((_entry(name, fields, dtypes) for name, fields in header.items()), key=lambda e: (e.begin, e.end))
    _check_layout(entries, data.size - start)
    return metadata, {entry.name: _view(data[start + entry.begin : start + entry.end], entry) for entry in entries}


def _entry(name: str, fields: object, dtypes: Dtypes) -> TensorEntry:
    place = f"tensor {name[:MAX_NAME]!r}"
    check_name(name, "tensor")
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"{place}: its entry must have exactly the keys dtype, shape and data_offsets")
    code, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if isinstance(code, str) and code.startswith(NARROW) and dtypes is ALL_DTYPES:
        raise ModelFileError(
            f"{place}: its dtype is {code!r:.40}, which cnnfast does not compute with; "
            "convert the weights where they come from, in PyTorch with tensor.float(), and save them as F32 or F16"
        )
    if not isinstance(code, str) or code not in dtypes:
        raise ModelFileError(f"{place}: its dtype is {code!r:.40}, but must be one of {', '.join(dtypes)}")
    if not _sizes(shape, least=1) or len(shape) > MAX_RANK:
        raise ModelFileError(f"{place}: its shape is {shape!r:.80}, but must be at most {MAX_RANK} positive integers")
    if not _sizes(offsets, least=0) or len(offsets) != 2:
        raise ModelFileError(f"{place}: its data_offsets are {offsets!r:.80}, but must be two integers from 0")
    needed = math.prod(shape) * dtypes[code].itemsize
    if offsets[1] - offsets[0] != needed:
        raise ModelFileError(
            f"{place}: {code} of shape {tuple(shape)} takes {needed} bytes, "
            f"but its data_offsets {offsets} enclose {offsets[1] - offsets[0]}"
        )
    return TensorEntry(name, dtypes[code], tuple(shape), offsets[0], offsets[1])


def _sizes(value: object, least: int) -> bool:
    return isinstance(value, list) and all(type(v) is int and v >= least for v in value)


def _check_layout(entries: list[TensorEntry], available: int) -> None:
    position = 0
    for entry in entries:
        if entry.begin != position:
            raise ModelFileError(
                f"tensor {entry.name!r}: it begins at byte {entry.begin} after the header, but the tensor before it "
                f"ends at {position}; tensors must follow each other without gap or overlap"
            )
        position = entry.end
    if position != available:
        fault = "truncated" if position > available else "bytes that belong to no tensor follow"
        raise ModelFileError(f"the tensors take {position} bytes, but {available} follow the header: {fault}")


def _view(data: Array, entry: TensorEntry) -> Array:
    array: Array = data.view(entry.dtype).reshape(entry.shape)
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array


def widened(array: Array) -> Array:
    """Return bfloat16 and float16 as float32, which loses nothing, and all else as it is.

    Examples
    --------
    >>> widened(np.array([0x3FC0], "<u2").view(BFLOAT16))
    array([1.5], dtype=float32)
    """
    if array.dtype == BFLOAT16:
        bits = array["bfloat16"].astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def is_name(name: str) -> bool:
    """Return whether a text may be a name: it can be printed, and is not too long."""
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def check_name(name: object, what: str) -> str:
    """Return a name that may be printed, or raise `ModelFileError`."""
    if not isinstance(name, str) or not is_name(name):
        raise ModelFileError(f"a {what} is called {name!r:.80}; names must be 1 to {MAX_NAME} printable characters")
    return name
