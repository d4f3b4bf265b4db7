"""Pools, means and extremes over axes, softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.builder import TorchGraph, image_axis, need_images
from cnnfast.formats.torch.conv_linear import twice
from cnnfast.formats.torch.table import aten
from cnnfast.formats.torch.values import TorchImages
from cnnfast.ops import Op
from cnnfast.ops.reduce import simplest

Sizes = Sequence[int]


@aten("max_pool2d")
def max_pool2d(
    b: TorchGraph, self: object, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> TorchImages:
    """``torch.nn.MaxPool2d``."""
    around = twice(padding) * 2
    op = ops.MaxPool(twice(kernel_size), twice(stride or kernel_size), around, twice(dilation), ceil_mode)
    return b.emit(op, need_images(self))


@aten("max_pool2d_with_indices")
def max_pool2d_with_indices(b: TorchGraph, **arguments: Any) -> tuple[TorchImages, None]:
    """Return a max-pool; where the largest elements were is not computed."""
    return max_pool2d(b, **arguments), None


@aten("avg_pool2d")
def avg_pool2d(
    b: TorchGraph,
    self: object,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> TorchImages:
    """``torch.nn.AvgPool2d``."""
    if divisor_override is not None:
        raise UnsupportedError(f"divisor_override={divisor_override}; supported: None")
    around = twice(padding) * 2
    kernel, step = twice(kernel_size), twice(stride or kernel_size)
    return b.emit(
        ops.AvgPool(kernel, step, around, ceil_mode=ceil_mode, count_padding=count_include_pad), need_images(self)
    )


@aten("adaptive_avg_pool2d")
def adaptive_avg_pool2d(b: TorchGraph, self: object, output_size: Sizes) -> TorchImages:
    """``torch.nn.AdaptiveAvgPool2d``."""
    return _adaptive(b, need_images(self), ops.GlobalAvgPool(), ops.AvgPool)


@aten("adaptive_max_pool2d")
def adaptive_max_pool2d(b: TorchGraph, self: object, output_size: Sizes) -> tuple[TorchImages, None]:
    """``torch.nn.AdaptiveMaxPool2d``."""
    return _adaptive(b, need_images(self), ops.GlobalMaxPool(), ops.MaxPool), None


def _adaptive(b: TorchGraph, x: TorchImages, whole: Op, pool: type[ops.AvgPool] | type[ops.MaxPool]) -> TorchImages:
    """Return a pool with windows from ``floor(i * H / OH)`` up to ``ceil((i + 1) * H / OH)``."""
    target = b.shapes[0][1:]
    if target == (1, 1):
        return b.emit(whole, x)
    if all(size % count == 0 for size, count in zip(x.shape[1:], target, strict=True)):
        kernel = x.shape[1] // target[0], x.shape[2] // target[1]
        return x if kernel == (1, 1) else b.emit(pool(kernel), x)
    # windows of different sizes: one after the other, first the rows, then the columns
    for axis, count in enumerate(target, start=1):
        size = x.shape[axis]
        parts = [_part(b, x, axis, i * size // count, -(-(i + 1) * size // count), pool) for i in range(count)]
        x = b.emit(ops.Concat(axis + 1), *parts) if count > 1 else parts[0]
    return x


def _part(
    b: TorchGraph, x: TorchImages, axis: int, first: int, end: int, pool: type[ops.AvgPool] | type[ops.MaxPool]
) -> TorchImages:
    start, count, kernel = [0, 0, 0], list(x.shape), [1, 1]
    start[axis], count[axis], kernel[axis - 1] = first, end - first, end - first
    return b.emit(pool((kernel[0], kernel[1])), b.emit(ops.Slice(tuple(start), tuple(count)), x))


@aten("mean")
def mean(
    b: TorchGraph, self: object, dim: Sizes | None = None, keepdim: bool = False, dtype: object = None
) -> TorchImages:
    """``torch.mean`` over axes."""
    return _reduce(b, self, ops.ReduceMean, dim, keepdim)


@aten("sum")
def total(
    b: TorchGraph, self: object, dim: Sizes | None = None, keepdim: bool = False, dtype: object = None
) -> TorchImages:
    """``torch.sum`` over axes."""
    return _reduce(b, self, ops.ReduceSum, dim, keepdim)


@aten("linalg_vector_norm")
def vector_norm(
    b: TorchGraph,
    self: object,
    ord: float = 2,
    dim: Sizes | None = None,
    keepdim: bool = False,
    dtype: object = None,
) -> TorchImages:
    """``torch.linalg.vector_norm`` of order 1 or 2 over axes: what ``torch.nn.functional.normalize`` divides by."""
    if ord not in (1, 2):
        raise UnsupportedError(f"ord={ord}; supported: 1 and 2")
    x = need_images(self)
    if ord == 1:
        return _reduce(b, b.emit(ops.Abs(), x), ops.ReduceSum, dim, keepdim)
    return b.emit(ops.Sqrt(), _reduce(b, b.emit(ops.Mul(), x, x), ops.ReduceSum, dim, keepdim))


@aten("amax")
def amax(b: TorchGraph, self: object, dim: Sizes = (), keepdim: bool = False) -> TorchImages:
    """``torch.amax`` over axes."""
    return _reduce(b, self, ops.ReduceMax, dim, keepdim)


@aten("amin")
def amin(b: TorchGraph, self: object, dim: Sizes = (), keepdim: bool = False) -> TorchImages:
    """``torch.amin`` over axes."""
    return _reduce(b, self, ops.ReduceMin, dim, keepdim)


@aten("max")
def largest(b: TorchGraph, self: object, dim: int | None = None, keepdim: bool = False) -> tuple[TorchImages, None]:
    """``torch.max`` along an axis; where the largest elements were is not computed."""
    if dim is None:
        raise UnsupportedError("the largest element of all images; supported: along an axis")
    return _reduce(b, self, ops.ReduceMax, (dim,), keepdim), None


def _reduce(b: TorchGraph, value: object, op: type[ops.Reduce], dims: Sizes | None, keep_dims: bool) -> TorchImages:
    x = need_images(value)
    if not dims:
        raise UnsupportedError("it reduces all images to one number; supported: over the axes of each image")
    axes = sorted(image_axis(dim, len(x.shape)) + 1 for dim in dims)
    return b.emit(simplest(op(tuple(axes), keep_dims), x.shape), x)


@aten("softmax")
def softmax(b: TorchGraph, self: object, dim: int, half_to_float: bool = False, dtype: object = None) -> TorchImages:
    """``torch.softmax``."""
    return _along(b, self, ops.Softmax, dim)


@aten("log_softmax")
def log_softmax(
    b: TorchGraph, self: object, dim: int, half_to_float: bool = False, dtype: object = None
) -> TorchImages:
    """``torch.log_softmax``."""
    return _along(b, self, ops.LogSoftmax, dim)


def _along(b: TorchGraph, value: object, op: type[ops.Softmax] | type[ops.LogSoftmax], dim: int) -> TorchImages:
    x = need_images(value)
    return b.emit(op(image_axis(dim, len(x.shape)) + 1), x)
