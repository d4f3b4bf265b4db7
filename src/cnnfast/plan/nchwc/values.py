"""What the rules for channels in the lanes share: where values are in layout nchw<L>c."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnfast.ops import Array
from cnnfast.plan.budget import PLACE
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.lowering import LoweringRules, NodeIO, Triple
from cnnfast.plan.offsets import channel_offsets
from cnnfast.plan.pack import aligned, in_vectors
from cnnfast.runtime.dispatch import kernels

LAYOUT = "nchwc"

rule = LoweringRules()
"""The rules of the ops; those that do not depend on what a vector holds are shared with images in the lanes."""


@dataclass
class NchwcLowering(ChwnLowering):
    """Steps in layout nchw<L>c: a vector is a pixel of L channels of one image; offsets and strides count vectors.

    Missing axes count as trailing ones of size 1: a value (F,) is stored contiguously, like one of (F, 1, 1). A value
    with more than three axes is stored contiguously, too.
    """

    rules: ClassVar[LoweringRules] = rule

    def extent(self, value: str) -> Triple:
        """Return how many vectors a value takes along each axis, without its halo."""
        c, h, w = self.chw(value)
        return -(-c // kernels.lanes()), h, w

    @property
    def lanes(self) -> int:
        """How many images a group holds."""
        return 1

    def chw(self, value: str) -> Triple:
        """Return the shape of a value as (C, H, W)."""
        shape = self.shapes[value]
        if len(shape) > 3:
            return math.prod(shape), 1, 1
        c, h, w = (*shape, 1, 1, 1)[:3]
        return c, h, w

    def size(self, value: str) -> int:
        """Return how many vectors a value takes, its halo included."""
        return math.prod(self.padded(value))

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

    def emit_nchwc(self, site: NodeIO, kernel: str, operands: tuple[str | Array, ...], **options: Any) -> None:
        """Append one step of kernel ``<name>_f32_nchwc_<algorithm>``."""
        self.emit(site, kernel, operands, LAYOUT, **options)


def copy_elements(lowering: NchwcLowering, site: NodeIO, source: Array, target: Array) -> None:
    """Emit a copy of single elements, from offsets of the operand to offsets of the result."""
    tables = tuple(np.ascontiguousarray(offsets.reshape(-1), np.int32) for offsets in (source, target))
    lowering.emit_nchwc(site, "copy:elements", site.inputs, ints=dict(count=source.size), tables=tables)


def clear_partial_vectors(lowering: NchwcLowering, site: NodeIO) -> None:
    """Zero a result that is written element by element, if not every lane of it will be."""
    if lowering.chw(site.result)[0] % kernels.lanes():
        (c, h, w), y = lowering.extent(site.result), lowering.strides(site.result)
        lowering.emit(site, "fill", (), ints=dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1]), floats=dict(value=0.0))
