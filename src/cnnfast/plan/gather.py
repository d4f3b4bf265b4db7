"""Moves by offset tables, for both layouts: which element of a value comes to each element of the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from cnnfast.ops import Array, Pad, Shape, Slice, Transpose
from cnnfast.plan.lowering import NodeIO, Triple, numbered, strides_of, three_axes


class Either(Protocol):
    """What these rules need of a lowering, whatever the layout."""

    shapes: dict[str, Shape]
    graph: Any

    def strides(self, value: str) -> Triple:
        """Return the distance of the channels, rows and columns of a value."""
        ...

    def float32(self, name: str) -> Array:
        """Return a constant as the kernels read it."""
        ...

    def emit(self, site: NodeIO, kernel: str, operands: tuple[str, ...], **options: Any) -> None:
        """Append one step."""
        ...


def source_strides(lowering: Either, value: str) -> Triple:
    """Return the strides of a value or constant, as three axes."""
    if value in lowering.graph.constants:
        return strides_of(three_axes(lowering.shapes[value]))
    return lowering.strides(value)


def gather(lowering: Either, site: NodeIO, indices: Sequence[Array]) -> None:
    """Emit ``y[i, j, k] = x[indices[0][i], indices[1][j], indices[2][k]]``."""
    strides = source_strides(lowering, site.inputs[0])
    _gather(lowering, site, [np.asarray(i) * stride for i, stride in zip(indices, strides, strict=True)])


def _gather(lowering: Either, site: NodeIO, offsets: Sequence[Array]) -> None:
    target = lowering.strides(site.result) if len(lowering.shapes[site.result]) <= 3 else (0, 0, 1)
    ints = dict(zip("ABC", map(len, offsets), strict=True)) | numbered(y=target)
    tables = tuple(np.ascontiguousarray(p, np.int32) for p in offsets)
    lowering.emit(site, "gather", site.inputs, ints=ints, tables=tables)


def cut(lowering: Either, op: Slice, site: NodeIO) -> None:
    """Emit a slice."""
    indices = [np.array(axis) for axis in op.indices()]
    if len(indices) <= 3:
        gather(lowering, site, [np.zeros(1, int)] * (3 - len(indices)) + indices)
    else:
        elements = np.arange(math.prod(lowering.shapes[site.inputs[0]])).reshape(lowering.shapes[site.inputs[0]])
        _gather(lowering, site, [np.zeros(1, int), np.zeros(1, int), elements[np.ix_(*indices)].reshape(-1)])


def pad_by_repeating(lowering: Either, op: Pad, site: NodeIO) -> None:
    """Emit a pad whose border is made of the image's own pixels."""
    shape = three_axes(lowering.shapes[site.inputs[0]])
    pairs = zip(shape, op.around(), strict=True)
    gather(lowering, site, [np.pad(np.arange(size), amount, mode=op.mode) for size, amount in pairs])  # type: ignore[call-overload]


def transpose_many_axes(lowering: Either, op: Transpose, site: NodeIO) -> None:
    """Emit a transpose of more than three axes: one table names the element that comes to each place."""
    shape = lowering.shapes[site.inputs[0]]
    elements = np.arange(math.prod(shape)).reshape(shape).transpose([axis - 1 for axis in op.order[1:]])
    _gather(lowering, site, [np.zeros(1, int), np.zeros(1, int), elements.reshape(-1)])
