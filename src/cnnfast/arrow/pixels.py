"""Pixels of a column as an array (N, H, W, C) on the memory of Arrow."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cnnfast.arrow.arrays import null_rows, values_of
from cnnfast.arrow.columns import IS_NULL, axes_of, is_bytes, is_list
from cnnfast.ops import Array

HAS_NULLS = "has pixels that are null"
OUTSIDE = "has pixels outside of 0 to 255"


class Pixels(NamedTuple):
    """Some rows of a column.

    Attributes
    ----------
    images : uint8 array (G, H, W, C)
        Of the good rows, in order.
    good : bool array (N,)
        Which rows have pixels.
    errors : dict of int to str
        Why the others have none.
    """

    images: Array
    good: Array
    errors: dict[int, str]


def pixels_of(column: Any, shape: tuple[int, ...]) -> Pixels:
    """Return the pixels of a column; only rows between which others have no pixels are copied.

    Parameters
    ----------
    column : pyarrow.Array
    shape : (H, W, C)

    Examples
    --------
    >>> column = pa.array([[1, 2], [3], None], pa.list_(pa.uint8()))
    >>> pixels = pixels_of(column, (1, 2, 1))
    >>> pixels.images.ravel().tolist(), pixels.errors
    ([1, 2], {2: 'is null', 1: 'has 1 bytes, but 1 x 2 x 1 are 2'})
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    elif pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if pa.types.is_null(column.type):
        column = column.cast(pa.binary())
    errors = dict.fromkeys(np.flatnonzero(null_rows(column)).tolist(), IS_NULL)
    if is_bytes(column.type):
        images = _of_binary(column, shape, errors)
    elif is_list(column.type):
        images = _of_lists(column, shape, errors)
    else:
        images = _of_fixed_size(column, shape, errors)
    good = np.ones(len(column), bool)
    good[list(errors)] = False
    if len(images) == len(column) and errors:
        images = images[good]
    return Pixels(images, good, errors)


def _of_fixed_size(column: Any, shape: tuple[int, ...], errors: dict[int, str]) -> Array:
    count, kind = len(column), column.type
    order: tuple[int, ...] = ()
    if isinstance(kind, pa.FixedShapeTensorType):
        order, stored = axes_of(kind), tuple(kind.shape)
        column = column.storage
    while not pa.types.is_uint8(column.type):
        size = column.type.list_size
        # `values` is the whole child, whatever part of it this array is
        column = column.values.slice(column.offset * size, len(column) * size)
        if column.null_count:
            for row in np.flatnonzero(null_rows(column).reshape(count, -1).any(axis=1)).tolist():
                errors.setdefault(row, HAS_NULLS)
    if order:
        images = values_of(column).reshape(count, *stored).transpose(0, *(axis + 1 for axis in order))
        return images.reshape(count, *shape) if images.ndim == 3 else images
    return values_of(column).reshape(count, *shape)


def _of_binary(column: Any, shape: tuple[int, ...], errors: dict[int, str]) -> Array:
    if pa.types.is_fixed_size_binary(column.type):
        size, content = column.type.byte_width, column.buffers()[1]
        offsets = np.arange(len(column) + 1) * size
        stored = np.zeros(0, np.uint8) if content is None else np.frombuffer(content, np.uint8)
        first = column.offset * size
        return _of_lengths(stored[first : first + offsets[-1]], offsets, shape, errors)
    if pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    large = pa.types.is_large_binary(column.type)
    _, places, values = column.buffers()
    dtype = np.dtype(np.int64 if large else np.int32)
    if places is None or len(column) == 0:
        return np.zeros((0, *shape), np.uint8)
    offsets = np.frombuffer(places, dtype, len(column) + 1, column.offset * dtype.itemsize)
    content = np.zeros(0, np.uint8) if values is None else np.frombuffer(values, np.uint8)
    return _of_lengths(content[offsets[0] : offsets[-1]], offsets - offsets[0], shape, errors)


def _of_lists(column: Any, shape: tuple[int, ...], errors: dict[int, str]) -> Array:
    offsets = values_of(column.offsets)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    values = column.values.slice(first, last - first)
    offsets = offsets - first
    for row in _rows_of(null_rows(values), offsets):
        errors.setdefault(row, HAS_NULLS)
    if pa.types.is_int16(values.type):
        # as Spark has them, which knows no uint8
        numbers = values_of(values.fill_null(0))
        for row in _rows_of((numbers < 0) | (numbers > 255), offsets):
            errors.setdefault(row, OUTSIDE)
        return _of_lengths(numbers.astype(np.uint8), offsets, shape, errors)
    return _of_lengths(values_of(values), offsets, shape, errors)


def _rows_of(marks: Array, offsets: Array) -> list[int]:
    """Return the rows in which some value is marked."""
    places = np.flatnonzero(marks) if marks.any() else np.zeros(0, np.int64)
    rows: list[int] = np.unique(np.searchsorted(offsets, places, side="right") - 1).tolist()
    return rows


def _of_lengths(content: Array, offsets: Array, shape: tuple[int, ...], errors: dict[int, str]) -> Array:
    """Return the images of the rows that have as many bytes as they must, and find out about the others."""
    size, rows = math.prod(shape), len(offsets) - 1
    lengths = np.diff(offsets)
    for row in np.flatnonzero(lengths != size).tolist():
        if errors.get(row) != IS_NULL:
            errors[row] = f"has {lengths[row]} bytes, but {' x '.join(map(str, shape))} are {size}"
    if not errors:
        return content.reshape(rows, *shape)
    parts = [content[offsets[row] : offsets[row + 1]] for row in range(rows) if row not in errors]
    return np.stack(parts).reshape(len(parts), *shape) if parts else np.zeros((0, *shape), np.uint8)
