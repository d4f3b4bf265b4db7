"""The ops on bytes as `docs/quantization.md` says: loops over Python integers, and float32 by rounding each operation.

Double precision followed by one rounding to single is a single operation in single precision (53 >= 2 * 24 + 2), so
nothing here depends on NumPy, on a compiler or on a fused multiply-add.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.quantized import IntegerConv2d


def f32(value: float) -> float:
    """Return a number rounded to float32, half to even."""
    single: float = struct.unpack("f", struct.pack("f", value))[0]
    return single


def times(a: float, b: float) -> float:
    """Multiply in float32."""
    return f32(a * b)


def plus(a: float, b: float) -> float:
    """Add in float32."""
    return f32(a + b)


def sat(value: float, low: int = 0, high: int = 255) -> int:
    """Return the byte of a float32."""
    if math.isnan(value) or value <= low:
        return low
    return high if value >= high else round(value)


def requantized(total: int, unit: float, scale: float, zero: int, low: int = 0, high: int = 255) -> int:
    """Return the byte of one sum."""
    return sat(plus(times(f32(total), f32(unit / scale)), zero), low, high)


def requantized_add(
    total: int, unit: float, r: int, grid: tuple[float, int], r_grid: tuple[float, int], low: int = 0, high: int = 255
) -> int:
    """Return the byte of one sum and a byte that is added."""
    scale, zero = grid
    own = times(f32(total), f32(unit / scale))
    other = times(f32(r - r_grid[1]), f32(r_grid[0] / scale))
    return sat(plus(plus(own, other), zero), low, high)


def integer_conv2d(op: IntegerConv2d, x: Array, weight: Array, bias: Array) -> Array:
    """Convolve one image (C, H, W) of bytes."""
    _, height, width = x.shape
    oc, per_group, kh, kw = weight.shape
    top, left, bottom, right = op.padding
    oh = (height + top + bottom - op.dilation[0] * (kh - 1) - 1) // op.stride[0] + 1
    ow = (width + left + right - op.dilation[1] * (kw - 1) - 1) // op.stride[1] + 1
    y = np.empty((oc, oh, ow), np.int32)
    for o, i, j in np.ndindex(oc, oh, ow):
        first = o // (oc // op.groups) * per_group
        total = int(bias[o])
        for c, p, q in np.ndindex(per_group, kh, kw):
            row = i * op.stride[0] + p * op.dilation[0] - top
            column = j * op.stride[1] + q * op.dilation[1] - left
            inside = 0 <= row < height and 0 <= column < width
            value = int(x[first + c, row, column]) if inside else op.x_zero
            total += int(weight[o, c, p, q]) * (value - op.x_zero)
        y[o, i, j] = total
    return y


def from_memory(x: Iterable[int], weight: Sequence[int], bias: int, zero: int) -> int:
    """Return one sum as kernels make it: the correction first, then products of bytes as they are in memory."""
    total = bias - zero * sum(weight)
    for value, factor in zip(x, weight, strict=True):
        total += value * factor
    return total


def mean(values: Iterable[int], divisor: float, x_grid: tuple[float, int], grid: tuple[float, int]) -> int:
    """Return the byte of a mean."""
    (x_scale, x_zero), (scale, zero) = x_grid, grid
    total = sum(value - x_zero for value in values)
    return sat(plus(times(f32(total), f32(x_scale / (scale * divisor))), zero))
