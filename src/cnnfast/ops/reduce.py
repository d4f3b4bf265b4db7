"""Mean, sum and extremes over some axes of each image."""

from __future__ import annotations

import math
from typing import ClassVar

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register, set_field
from cnnfast.ops.pool import GlobalAvgPool, GlobalMaxPool


@frozen
class Reduce(Op):
    """Base of the ops that reduce axes: which ones, and whether they stay as sizes of 1."""

    axes: tuple[int, ...] = (2, 3)
    keep_dims: bool = True

    def __post_init__(self) -> None:
        axes = tuple(sorted(self.axes))
        if not axes or len(set(axes)) < len(axes) or axes[0] < 1:
            raise GraphError(
                f"axes of {self.name} must be different numbers from 1 (axis 0 counts the images), but are {self.axes}"
            )
        set_field(self, "axes", axes)

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        if self.axes[-1] > len(x):
            raise GraphError(f"axes of {self.name} must be at most {len(x)} for the shape {x}, but are {self.axes}")
        if self.keep_dims:
            return tuple(1 if axis in self.axes else size for axis, size in enumerate(x, start=1))
        # a single number for each image is a row of one
        return tuple(size for axis, size in enumerate(x, start=1) if axis not in self.axes) or (1,)

    def _finished(self, result: Array) -> Array:
        return result[:, None] if result.ndim == 1 else result

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=math.prod(inputs[0]))


@register
@frozen
class ReduceMean(Reduce):
    """Take the mean over some axes.

    Shapes: x (N, ...), y the same with the axes as sizes of 1, or without them; (N, 1) if none is left.

    Parameters
    ----------
    axes : tuple of int
        Counted from N = 0, which stays.
    keep_dims : bool

    Raises
    ------
    GraphError
        If an axis is out of range or named twice.

    Notes
    -----
    Equals ONNX ReduceMean and ``torch.mean``. Over H and W it is `GlobalAvgPool`, which is faster.

    Examples
    --------
    >>> ReduceMean((1,)).shape((64, 8, 8))
    (1, 8, 8)
    """

    name: ClassVar[str] = "reduce_mean"

    def reference(self, *inputs: Array) -> Array:
        return self._finished(inputs[0].mean(axis=self.axes, keepdims=self.keep_dims))


@register
@frozen
class ReduceSum(Reduce):
    """Take the sum over some axes; as `ReduceMean`. Equals ONNX ReduceSum and ``torch.sum``.

    Examples
    --------
    >>> ReduceSum((1,), keep_dims=False).shape((64, 8, 8))
    (8, 8)
    """

    name: ClassVar[str] = "reduce_sum"

    def reference(self, *inputs: Array) -> Array:
        return self._finished(inputs[0].sum(axis=self.axes, keepdims=self.keep_dims))


@register
@frozen
class ReduceMax(Reduce):
    """Take the largest element over some axes, NaN wins; as `ReduceMean`. Equals ONNX ReduceMax and ``torch.amax``.

    Examples
    --------
    >>> ReduceMax((1, 2, 3), keep_dims=False).shape((64, 8, 8))
    (1,)
    """

    name: ClassVar[str] = "reduce_max"
    selects: ClassVar[bool] = True

    def reference(self, *inputs: Array) -> Array:
        return self._finished(inputs[0].max(axis=self.axes, keepdims=self.keep_dims))


@register
@frozen
class ReduceMin(Reduce):
    """Take the smallest element over some axes, NaN wins; as `ReduceMean`. Equals ONNX ReduceMin and ``torch.amin``.

    Examples
    --------
    >>> ReduceMin((3,)).shape((64, 8, 8))
    (64, 8, 1)
    """

    name: ClassVar[str] = "reduce_min"
    selects: ClassVar[bool] = True

    def reference(self, *inputs: Array) -> Array:
        return self._finished(inputs[0].min(axis=self.axes, keepdims=self.keep_dims))


def simplest(op: Reduce, shape: Shape) -> Op:
    """Return the global pool that a reduction is, or itself.

    Examples
    --------
    >>> simplest(ReduceMean((2, 3)), (64, 8, 8))
    GlobalAvgPool(keep_dims=True)
    """
    if len(shape) == 3 and op.axes == (2, 3):
        if isinstance(op, ReduceMean):
            return GlobalAvgPool(op.keep_dims)
        if isinstance(op, ReduceMax):
            return GlobalMaxPool(op.keep_dims)
    return op
