"""What the rules for channels in the lanes share: where values are in layout nchw<L>c."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnfast.ops import Array, Shape
from cnnfast.plan.budget import PLACE
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.lowering import LoweringRules, NodeIO, Triple, strides_of
from cnnfast.plan.offsets import channel_offsets
from cnnfast.plan.pack import aligned, in_vectors
from cnnfast.runtime.dispatch import kernels

LAYOUT = "nchwc"

PIXELS = 4
"""Pixels of bytes in a vector."""

rule = LoweringRules()
"""The rules of the ops; those that do not depend on what a vector holds are shared with images in the lanes."""


@dataclass(eq=False, repr=False)
class NchwcLowering(ChwnLowering):
    """Steps in layout nchw<L>c: a vector is a pixel of L channels of one image; offsets and strides count vectors.

    Missing axes count as trailing ones of size 1: a value (F,) is stored contiguously, like one of (F, 1, 1). A value
    with more than three axes is stored contiguously, too. Values of bytes have pixels of L bytes instead of vectors;
    offsets and strides that count those; the place of a value counts vectors, and each holds four pixels.
    """

    rules: ClassVar[LoweringRules] = rule

    def extent(self, value: str) -> Triple:
        """Return how many vectors a value takes along each axis, without its halo."""
        c, h, w = self.byte_shapes.get(value) or self.chw(value)
        return -(-c // kernels.lanes()), h, w

    @property
    def byte_block(self) -> int:
        """How many channels a pixel of bytes holds."""
        return kernels.lanes()

    def byte_order(self, shape: Shape) -> Triple:
        """Return the channels, rows and columns as which bytes of a shape are stored: those of floats."""
        return as_chw(shape)

    @property
    def lanes(self) -> int:
        """How many images a group holds."""
        return 1

    def chw(self, value: str) -> Triple:
        """Return the shape of a value as (C, H, W)."""
        return as_chw(self.shapes[value])

    def size(self, value: str) -> int:
        """Return how many vectors a value takes, its halo included."""
        if value not in self.byte_shapes:
            return math.prod(self.padded(value))
        pixels = math.prod(self.padded(value)) - self._pixels_before(value)
        return self.origin(value) - (-pixels // PIXELS)

    def origin(self, value: str) -> int:
        """Return the distance from the start of a value's memory to its first element, in vectors."""
        return -(-self._pixels_before(value) // PIXELS) if value in self.byte_shapes else super().origin(value)

    def _pixels_before(self, value: str) -> int:
        return super().origin(value)

    def strides(self, value: str) -> Triple:
        """Return the stride of the channels, rows and columns of a value."""
        return strides_of(self.padded(value))

    def float_strides(self, value: str) -> Triple:
        """Return the distances of the channels, rows and columns of floats that become bytes, or bytes become."""
        return self.strides(value)

    def channel_stride(self, value: str) -> int:
        """Return the distance of the vectors of channels."""
        return self.strides(value)[0]

    def in_lanes(self, name: str) -> Array:
        """Return a constant as a value without a halo."""
        return self.vectors(self.float32(name).reshape(self.chw(name)))

    def vectors(self, values: Array) -> Array:
        """Return values (C, ...) with L channels next to each other, flat."""
        return aligned(np.moveaxis(in_vectors(values, kernels.lanes()), 1, -1).reshape(-1))

    def elements(self, value: str) -> Array:
        """Return the place of each element of a value relative to its origin, in floats and in the value's shape."""
        c, h, w = self.chw(value)
        x_c, x_r, _ = self.strides(value)
        self.budget.ask(2 * PLACE * c * h * w, f"value {value!r}")
        rows, columns = np.arange(h, dtype=np.int32) * x_r, np.arange(w, dtype=np.int32)
        pixels = np.add.outer(rows, columns) * kernels.lanes()
        offsets: Array = np.add.outer(channel_offsets(c, x_c, kernels.lanes()), pixels)
        return offsets.reshape(self.shapes[value])

    def byte_offsets(self, value: str) -> Array:
        """Return the offset of each byte of a value."""
        c, h, w = (np.arange(n) for n in self.byte_shapes[value])
        x = self.strides(value)
        channel = channel_offsets(len(c), x[0], self.byte_block)
        places: Array = channel[:, None, None] + (h[:, None] * x[1] + w) * self.byte_block
        return places.reshape(self.shapes[value])

    def move_bytes(self, site: NodeIO, places: Array, target: Array | None = None) -> None:
        """Emit a step that brings bytes of a value, named by their places, to places of the result."""
        target = self.byte_offsets(site.result) if target is None else target
        tables = tuple(np.ascontiguousarray(t.reshape(-1), np.int32) for t in (places, target))
        self.emit(site, "move:elements", site.inputs[:1], dtype="u8", ints=dict(count=target.size), tables=tables)

    def emit(
        self,
        site: NodeIO,
        kernel: str,
        operands: tuple[str | Array, ...],
        layout: str = "chwn",
        dtype: str = "f32",
        **options: Any,
    ) -> None:
        """Append one step; floats share the kernels of images in the lanes where those treat all lanes alike."""
        super().emit(site, kernel, operands, LAYOUT if dtype == "u8" else layout, dtype, **options)

    def emit_nchwc(self, site: NodeIO, kernel: str, operands: tuple[str | Array, ...], **options: Any) -> None:
        """Append one step of kernel ``<name>_f32_nchwc_<algorithm>``."""
        self.emit(site, kernel, operands, LAYOUT, **options)


def as_chw(shape: Shape) -> Triple:
    """Return a shape as (C, H, W); one of more than three axes as that many channels."""
    if len(shape) > 3:
        return math.prod(shape), 1, 1
    c, h, w = (*shape, 1, 1, 1)[:3]
    return c, h, w


def copy_elements(lowering: NchwcLowering, site: NodeIO, source: Array, target: Array) -> None:
    """Emit a copy of single elements, from offsets of the operand to offsets of the result."""
    tables = tuple(np.ascontiguousarray(offsets.reshape(-1), np.int32) for offsets in (source, target))
    lowering.emit_nchwc(site, "copy:elements", site.inputs, ints=dict(count=source.size), tables=tables)


def clear_partial_vectors(lowering: NchwcLowering, site: NodeIO) -> None:
    """Zero a result that is written element by element, if not every lane of it will be."""
    if lowering.chw(site.result)[0] % kernels.lanes():
        (c, h, w), y = lowering.extent(site.result), lowering.strides(site.result)
        lowering.emit(site, "fill", (), ints=dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1]), floats=dict(value=0.0))
