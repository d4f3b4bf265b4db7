"""Arrays of NumPy and rows of Python as columns of Arrow, and back.

``pyarrow.array`` and ``to_numpy`` do the same, but import pandas wherever it is installed: 40 MiB of each worker of a
cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast.ops import Array


def numbers(values: Array, null: Array | None = None) -> Any:
    """Return an array of one axis as a column on the same memory.

    Parameters
    ----------
    values : array (N,) of integers or floats
    null : bool array (N,), optional
        Which rows are null.

    Examples
    --------
    >>> numbers(np.array([1, 2]), np.array([False, True])).to_pylist()
    [1, None]
    """
    kind = pa.from_numpy_dtype(values.dtype)
    valid = None if null is None else _bits(~null)
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def flags(values: Array) -> Any:
    """Return an array of bool as a column.

    Examples
    --------
    >>> flags(np.array([True, False])).to_pylist()
    [True, False]
    """
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def texts(rows: Iterable[str | None]) -> Any:
    """Return texts as a column of strings.

    Examples
    --------
    >>> texts(["a", None, "é"]).to_pylist()
    ['a', None, 'é']
    """
    return binaries((None if row is None else row.encode() for row in rows), pa.string())


def binaries(rows: Iterable[bytes | None], kind: Any = None) -> Any:
    """Return bytes as a column of binary, or of another type that stores bytes.

    Examples
    --------
    >>> binaries([b"ab", None]).to_pylist()
    [b'ab', None]
    """
    found = list(rows)
    null = np.array([row is None for row in found], bool)
    offsets = np.fromiter(accumulate((len(row or b"") for row in found), initial=0), np.int32, len(found) + 1)
    content = pa.py_buffer(b"".join(row or b"" for row in found))
    valid = _bits(~null) if null.any() else None
    return pa.Array.from_buffers(kind or pa.binary(), len(found), [valid, pa.py_buffer(offsets), content])


def null_rows(column: Any) -> Array:
    """Return which rows of a column are null.

    Examples
    --------
    >>> null_rows(pa.array([1, None])).tolist()
    [False, True]
    """
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    found = column.is_null()
    bits = np.unpackbits(np.frombuffer(found.buffers()[1], np.uint8), bitorder="little")
    return bits[found.offset : found.offset + len(found)].astype(bool)


def values_of(column: Any) -> Array:
    """Return a column of integers as an array on the same memory; anything where it is null.

    Examples
    --------
    >>> values_of(pa.array([1, 2], pa.int16())).tolist()
    [1, 2]
    """
    dtype = np.dtype(str(column.type))
    content = column.buffers()[1]
    if content is None or len(column) == 0:
        return np.zeros(0, dtype)
    return np.frombuffer(content, dtype, len(column), column.offset * dtype.itemsize)


def _bits(values: Array) -> Any:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
