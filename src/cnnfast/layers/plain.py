"""Pools, moves and what reduces: layers without weights, with the attributes of their ops."""

from __future__ import annotations

from cnnfast import ops
from cnnfast.layers.lazy import Size
from cnnfast.layers.structure import Layer, Sides, layer_of


def MaxPool(
    kernel: Size,
    stride: Size | None = None,
    padding: Sides = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    name: str | None = None,
) -> Layer:
    """Take the largest element of each window; NaN wins, padding never does; see `cnnfast.ops.MaxPool`."""
    return layer_of(ops.MaxPool, name, kernel, 0 if stride is None else stride, padding, dilation, ceil_mode)


def AvgPool(
    kernel: Size,
    stride: Size | None = None,
    padding: Sides = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    count_padding: bool = False,
    *,
    name: str | None = None,
) -> Layer:
    """Take the mean of each window; see `cnnfast.ops.AvgPool`."""
    return layer_of(
        ops.AvgPool, name, kernel, 0 if stride is None else stride, padding, dilation, ceil_mode, count_padding
    )


def GlobalAvgPool(keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the mean of each channel; see `cnnfast.ops.GlobalAvgPool`."""
    return layer_of(ops.GlobalAvgPool, name, keep_dims)


def GlobalMaxPool(keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the largest element of each channel; NaN wins; see `cnnfast.ops.GlobalMaxPool`."""
    return layer_of(ops.GlobalMaxPool, name, keep_dims)


def Pad(
    padding: Sides, value: float = 0.0, mode: str = "constant", channels: Size = 0, *, name: str | None = None
) -> Layer:
    """Surround each image with a constant or with its own pixels; see `cnnfast.ops.Pad`."""
    return layer_of(ops.Pad, name, padding, value, mode, channels)


def Flatten(*, name: str | None = None) -> Layer:
    """Store each image as one row, in the order C, H, W; see `cnnfast.ops.Flatten`."""
    return layer_of(ops.Flatten, name)


def Reshape(target: tuple[int, ...], *, name: str | None = None) -> Layer:
    """Give each image another shape with the same elements in the same order; see `cnnfast.ops.Reshape`."""
    return layer_of(ops.Reshape, name, target)


def Transpose(order: tuple[int, ...], *, name: str | None = None) -> Layer:
    """Reorder the axes of each image; see `cnnfast.ops.Transpose`."""
    return layer_of(ops.Transpose, name, order)


def Slice(
    start: tuple[int, ...], count: tuple[int, ...], step: tuple[int, ...] = (), *, name: str | None = None
) -> Layer:
    """Take elements at even distances along each axis: ``y[n, i, ...] = x[n, start[0] + i * step[0], ...]``.

    See `cnnfast.ops.Slice`.
    """
    return layer_of(ops.Slice, name, start, count, step)


def Resize(
    size: Size,
    mode: str = "nearest",
    coordinates: str = "half_pixel",
    rounding: str = "round_prefer_floor",
    scale_h: float = 0.0,
    scale_w: float = 0.0,
    cubic: float = -0.75,
    antialias: bool = False,
    exclude_outside: bool = False,
    *,
    name: str | None = None,
) -> Layer:
    """Interpolate each channel at another resolution; see `cnnfast.ops.Resize`."""
    return layer_of(
        ops.Resize, name, size, mode, coordinates, rounding, scale_h, scale_w, cubic, antialias, exclude_outside
    )


def Lrn(size: int, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0, *, name: str | None = None) -> Layer:
    """Divide each element by a power of the energy of its neighbor channels; see `cnnfast.ops.Lrn`."""
    return layer_of(ops.Lrn, name, size, alpha, beta, bias)


def Dropout(rate: float = 0.5, *, name: str | None = None) -> Layer:
    """Return the input: elements are dropped with probability ``rate`` in training only; see `cnnfast.ops.Dropout`."""
    return layer_of(ops.Dropout, name, rate)


def Identity(*, name: str | None = None) -> Layer:
    """Return the input; see `cnnfast.ops.Identity`."""
    return layer_of(ops.Identity, name)


def ReduceMean(axes: tuple[int, ...] = (2, 3), keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the mean over some axes; see `cnnfast.ops.ReduceMean`."""
    return layer_of(ops.ReduceMean, name, axes, keep_dims)


def ReduceSum(axes: tuple[int, ...] = (2, 3), keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the sum over some axes; see `cnnfast.ops.ReduceSum`."""
    return layer_of(ops.ReduceSum, name, axes, keep_dims)


def ReduceMax(axes: tuple[int, ...] = (2, 3), keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the largest element over some axes, NaN wins; see `cnnfast.ops.ReduceMax`."""
    return layer_of(ops.ReduceMax, name, axes, keep_dims)


def ReduceMin(axes: tuple[int, ...] = (2, 3), keep_dims: bool = True, *, name: str | None = None) -> Layer:
    """Take the smallest element over some axes, NaN wins; see `cnnfast.ops.ReduceMin`."""
    return layer_of(ops.ReduceMin, name, axes, keep_dims)
