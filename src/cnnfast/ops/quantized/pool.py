"""Means of bytes: over windows, and over a whole channel."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Shape, set_field
from cnnfast.ops.pool import AvgPool, GlobalAvgPool
from cnnfast.ops.quantized.base import OnGrid, register_quantized
from cnnfast.ops.quantized.conv_linear import LARGEST_SUM
from cnnfast.ops.quantized.rounding import byte, ratio32, saturate
from cnnfast.ops.windows import windows

HALVES = {"even": (0, 0.0), "up": (0, 2.0**-20), "out": (128, 2.0**-16 + 2.0**-20)}
"""Where halves go: the byte away from which they are rounded, and what part of a mean moves them beyond the half."""

LARGEST_EXACT = 400
"""Pixels of a window up to which that part is less than what any other mean lacks to a half."""


@frozen
class _Mean(OnGrid):
    """What both share: the grid of x, and how a sum becomes a byte."""

    x_scale: float
    x_zero: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_grids("x_scale")
        byte(self.name, "x_zero", self.x_zero)

    def multiplier(self, divisor: Array | float) -> Array:
        """Return ``m = x_scale / (scale * divisor)`` as float32."""
        return ratio32(self.name, "x_scale / (scale * divisor)", self.x_scale, self.scale * np.asarray(divisor))

    @property
    def zeros(self) -> tuple[int, int]:
        """What is taken from x, and what is added to the mean."""
        return self.x_zero, self.zero

    def _rounded(self, sums: Array, divisor: Array | float) -> Array:
        scaled = sums.astype(np.int32).astype(np.float32) * self.multiplier(divisor)
        return saturate(scaled + np.float32(self.zeros[1]), self.low, self.high)


def _check_reach(op: str, elements: int) -> None:
    if 255 * elements > LARGEST_SUM:
        raise GraphError(f"{op} over {elements} elements: their sum could be larger than int32 holds")


@register_quantized
@frozen
class QuantizedAvgPool(_Mean):
    """Take the mean of each window of bytes: ``y = sat(sum(x - x_zero) * m + zero, low, high)``.

    The sum is exact, over what is inside the image; ``m = x_scale / (scale * divisor)``. Shapes and divisors: as for
    `AvgPool`. With ``halves`` it is the mean of integers as LiteRT rounds it; docs/quantization.md has the formula.

    Parameters
    ----------
    scale, zero, low, high
        Of the result, as for `Requantize`.
    x_scale, x_zero
        What x stands for.
    kernel, stride, padding, dilation, ceil_mode, count_padding
        As for `AvgPool`.
    halves : {"even", "up", "out"}
        To where halves are rounded: to the even byte, up, or away from 128. All but "even" need x and the result to be
        on the same scale, and a window of at most 400 pixels.

    Raises
    ------
    GraphError
        If an attribute is out of range or the input is not (C, H, W).

    Examples
    --------
    >>> op = QuantizedAvgPool(1.0, 10, x_scale=2.0, x_zero=8, kernel=2)
    >>> op.reference(np.array([[[[8, 10], [10, 12]]]], np.uint8))
    array([[[[14]]]], dtype=uint8)
    """

    name: ClassVar[str] = "quantized_avg_pool"

    kernel: tuple[int, int]
    stride: tuple[int, int] = (0, 0)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False
    count_padding: bool = False
    halves: str = "even"

    def __post_init__(self) -> None:
        super().__post_init__()
        pool = self.on_numbers()
        for name in ("kernel", "stride", "padding", "dilation"):
            set_field(self, name, getattr(pool, name))
        _check_reach(self.name, math.prod(self.kernel))
        self._check_halves()

    def _check_halves(self) -> None:
        if self.halves not in HALVES:
            raise GraphError(f"halves of {self.name} must be one of {', '.join(HALVES)}, but is {self.halves!r:.40}")
        if self.halves == "even":
            return
        if (self.x_scale, self.x_zero) != (self.scale, self.zero) or self.count_padding:
            raise GraphError(
                f"halves={self.halves!r} of {self.name} needs x and the result to be on the same scale and zero point, "
                f"and padding that does not count, but they are {(self.x_scale, self.x_zero)} and "
                f"{(self.scale, self.zero)}, count_padding={self.count_padding}"
            )
        if math.prod(self.kernel) > LARGEST_EXACT:
            raise GraphError(
                f"halves={self.halves!r} of {self.name} needs a window of at most {LARGEST_EXACT} pixels, but it has "
                f"{math.prod(self.kernel)}"
            )

    @property
    def zeros(self) -> tuple[int, int]:
        center, _ = HALVES[self.halves]
        return (self.x_zero, self.zero) if self.halves == "even" else (center, center)

    def multiplier(self, divisor: Array | float) -> Array:
        if self.halves == "even":
            return super().multiplier(divisor)
        # an odd number of bytes has no mean that ends in a half
        beyond = np.where(np.asarray(divisor) % 2 == 0, 1 + HALVES[self.halves][1], 1.0)
        return ratio32(self.name, "1 / divisor", beyond, divisor)

    def on_numbers(self) -> AvgPool:
        """Return the same pool of floats."""
        window = (self.kernel, self.stride, self.padding, self.dilation)
        return AvgPool(*window, self.ceil_mode, self.count_padding)

    def shape(self, *inputs: Shape) -> Shape:
        return self.on_numbers().shape(*inputs)

    def reference(self, *inputs: Array) -> Array:
        x, pool = inputs[0], self.on_numbers()
        height, width = x.shape[2:]
        divisors = pool.divisors(height, width)
        around = pool.overhang(height, width)
        centered = x.astype(np.int64) - self.zeros[0]
        view = windows(centered, pool.kernel, pool.stride, around, pool.dilation, fill=0)
        sums = view.sum(axis=(4, 5))[:, :, : divisors.shape[0], : divisors.shape[1]]
        return self._rounded(sums, divisors)

    def cost(self, *inputs: Shape) -> Cost:
        return self.on_numbers().cost(*inputs)


@register_quantized
@frozen
class QuantizedGlobalAvgPool(_Mean):
    """Take the mean of each channel of bytes: ``y = sat(sum(x - x_zero) * m + zero, low, high)``.

    ``m = x_scale / (scale * H * W)``. Shapes: x (N, C, H, W), y (N, C, 1, 1), or (N, C) without ``keep_dims``.

    Parameters
    ----------
    scale, zero, low, high
        Of the result, as for `Requantize`.
    x_scale, x_zero
        What x stands for.
    keep_dims : bool

    Raises
    ------
    GraphError
        If an attribute is out of range or the input is not (C, H, W).

    Examples
    --------
    >>> op = QuantizedGlobalAvgPool(1.0, 0, x_scale=1.0, x_zero=0, keep_dims=False)
    >>> op.reference(np.array([[[[1, 2], [4, 5]]]], np.uint8))
    array([[3]], dtype=uint8)
    """

    name: ClassVar[str] = "quantized_global_avg_pool"

    keep_dims: bool = True

    def shape(self, *inputs: Shape) -> Shape:
        shape = GlobalAvgPool(self.keep_dims).shape(*inputs)
        _check_reach(self.name, math.prod(inputs[0][1:]))
        return shape

    def reference(self, *inputs: Array) -> Array:
        sums = (inputs[0].astype(np.int64) - self.x_zero).sum(axis=(2, 3), keepdims=self.keep_dims)
        return self._rounded(sums, math.prod(inputs[0].shape[2:]))

    def cost(self, *inputs: Shape) -> Cost:
        return GlobalAvgPool(self.keep_dims).cost(*inputs)
