"""Pooling: the largest or the mean of each window, or of the whole image."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, check_work, need_chw, pair, register, set_field, sides
from cnnfast.ops.windows import windows


@frozen
class _Pool(Op):
    """What max-pool and average-pool share: the window and where it may be.

    With ``ceil_mode`` a last window that starts inside the image or its top-left padding, and reaches beyond the
    padded image, counts too: the rule of ONNX and PyTorch.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (0, 0)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        set_field(self, "kernel", pair(self.name, "kernel", self.kernel, least=1))
        stride = pair(self.name, "stride", self.stride, least=0)
        set_field(self, "stride", pair(self.name, "stride", self.stride, least=1) if any(stride) else self.kernel)
        set_field(self, "dilation", pair(self.name, "dilation", self.dilation, least=1))
        set_field(self, "padding", sides(self.name, self.padding))
        for axis, span in enumerate(self._span()):
            if self.padding[axis] >= span or self.padding[axis + 2] >= span:
                raise GraphError(
                    f"padding {self.padding} of {self.name} must be smaller than the window {self._span()}, "
                    "or a window could be in the padding alone"
                )

    def _span(self) -> tuple[int, int]:
        return self.dilation[0] * (self.kernel[0] - 1) + 1, self.dilation[1] * (self.kernel[1] - 1) + 1

    def shape(self, *inputs: Shape) -> Shape:
        c, h, w = need_chw(self.name, inputs[0])
        result = c, self._size(h, 0), self._size(w, 1)
        window = min(self.kernel[0], h) * min(self.kernel[1], w)
        check_work(self.name, math.prod(result) * window, inputs[0])
        return result

    def _size(self, size: int, axis: int) -> int:
        before, after, stride = self.padding[axis], self.padding[axis + 2], self.stride[axis]
        reach = size + before + after - self._span()[axis]
        if reach < 0 and not self.ceil_mode:
            return 0
        count = (-(-reach // stride) if self.ceil_mode else reach // stride) + 1
        if self.ceil_mode and (count - 1) * stride >= size + before:
            count -= 1
        return count

    def overhang(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the padding with what ceil mode adds below and to the right, so that every window is whole."""
        top, left, bottom, right = self.padding
        span = self._span()
        more_h = (self._size(height, 0) - 1) * self.stride[0] + span[0] - (height + top + bottom)
        more_w = (self._size(width, 1) - 1) * self.stride[1] + span[1] - (width + left + right)
        return top, left, bottom + max(more_h, 0), right + max(more_w, 0)

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=math.prod(self.shape(*inputs)) * math.prod(self.kernel))

    def _windows(self, x: Array, fill: float) -> Array:
        oh, ow = self._size(x.shape[2], 0), self._size(x.shape[3], 1)
        padding = self.overhang(x.shape[2], x.shape[3])
        return windows(x, self.kernel, self.stride, padding, self.dilation, fill)[:, :, :oh, :ow]


@register
@frozen
class MaxPool(_Pool):
    """Take the largest element of each window; NaN wins, padding never does.

    Shapes: x (N, C, H, W), y (N, C, OH, OW); see the attributes of the op for OH and OW.

    Parameters
    ----------
    kernel : int or (vertical, horizontal)
    stride : int or pair, default the kernel
    padding : int, (vertical, horizontal) or (top, left, bottom, right), smaller than the window
    dilation : int or pair
    ceil_mode : bool

    Raises
    ------
    GraphError
        If an attribute is out of range or the input is not (C, H, W).

    Notes
    -----
    Equals ONNX MaxPool and ``torch.nn.functional.max_pool2d``.

    Examples
    --------
    >>> MaxPool(2).shape((16, 32, 32))
    (16, 16, 16)
    """

    name: ClassVar[str] = "max_pool"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    def reference(self, *inputs: Array) -> Array:
        lowest = 0 if inputs[0].dtype == np.uint8 else -np.inf
        result: Array = self._windows(inputs[0], fill=lowest).max(axis=(4, 5))
        return result


@register
@frozen
class AvgPool(_Pool):
    """Take the mean of each window.

    Shapes: x (N, C, H, W), y (N, C, OH, OW).

    Parameters
    ----------
    kernel, stride, padding, dilation, ceil_mode
        As for `MaxPool`.
    count_padding : bool
        Whether padded zeros count in the divisor. What ceil mode adds beyond the padding never counts.

    Raises
    ------
    GraphError
        If an attribute is out of range or the input is not (C, H, W).

    Notes
    -----
    Equals ONNX AveragePool (``count_include_pad``) and ``torch.nn.functional.avg_pool2d``.

    Examples
    --------
    >>> AvgPool(2).reference(np.ones((1, 1, 2, 2)))
    array([[[[1.]]]])
    """

    name: ClassVar[str] = "avg_pool"

    count_padding: bool = False

    def reference(self, *inputs: Array) -> Array:
        total: Array = self._windows(inputs[0], fill=0).sum(axis=(4, 5))
        return total / self.divisors(inputs[0].shape[2], inputs[0].shape[3])

    def divisors(self, height: int, width: int) -> Array:
        """Return how many elements each window averages, of shape (OH, OW)."""
        return np.outer(self._counted(height, 0), self._counted(width, 1))

    def _counted(self, size: int, axis: int) -> Array:
        """Return how many elements of each window count, along one axis; no array as large as the padding is made."""
        before, after, step = self.padding[axis], self.padding[axis + 2], self.dilation[axis]
        low, high = (-before, size + after) if self.count_padding else (0, size)
        start = np.arange(self._size(size, axis)) * self.stride[axis] - before
        first = np.maximum(-((start - low) // step), 0)
        last = np.minimum((high - 1 - start) // step, self.kernel[axis] - 1)
        counts: Array = np.maximum(last - first + 1, 0).astype(np.float64)
        return counts


@register
@frozen
class GlobalAvgPool(Op):
    """Take the mean of each channel.

    Shapes: x (N, C, H, W), y (N, C, 1, 1), or (N, C) without ``keep_dims``.

    Notes
    -----
    Equals ONNX GlobalAveragePool and Keras GlobalAveragePooling2D (``keepdims``).

    Examples
    --------
    >>> GlobalAvgPool().shape((64, 8, 8))
    (64, 1, 1)
    """

    name: ClassVar[str] = "global_avg_pool"

    keep_dims: bool = True

    def shape(self, *inputs: Shape) -> Shape:
        c, _, _ = need_chw(self.name, inputs[0])
        return (c, 1, 1) if self.keep_dims else (c,)

    def reference(self, *inputs: Array) -> Array:
        result: Array = inputs[0].mean(axis=(2, 3), keepdims=self.keep_dims)
        return result

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=math.prod(inputs[0]))


@register
@frozen
class GlobalMaxPool(Op):
    """Take the largest element of each channel; NaN wins.

    Shapes: x (N, C, H, W), y (N, C, 1, 1), or (N, C) without ``keep_dims``.

    Notes
    -----
    Equals ONNX GlobalMaxPool and Keras GlobalMaxPooling2D (``keepdims``).

    Examples
    --------
    >>> GlobalMaxPool(keep_dims=False).shape((64, 8, 8))
    (64,)
    """

    name: ClassVar[str] = "global_max_pool"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    keep_dims: bool = True

    def shape(self, *inputs: Shape) -> Shape:
        c, _, _ = need_chw(self.name, inputs[0])
        return (c, 1, 1) if self.keep_dims else (c,)

    def reference(self, *inputs: Array) -> Array:
        result: Array = inputs[0].max(axis=(2, 3), keepdims=self.keep_dims)
        return result

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=math.prod(inputs[0]))
