"""Normalization with the statistics of each image: layer, group and instance norm."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register, set_field


@frozen
class _Normalize(Op):
    parameters: ClassVar[tuple[str, ...]] = ("scale?", "shift?")

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=8 * math.prod(inputs[0]))

    def _check_eps(self, eps: float) -> None:
        if not eps >= 0:
            raise GraphError(f"eps of {self.name} must be at least 0, but is {eps}")

    def _check_parameters(self, inputs: tuple[Shape, ...], wanted: Shape) -> None:
        if any(p != wanted for p in inputs[1:]):
            raise GraphError(
                f"{self.name} on {inputs[0]} needs scale and shift of shape {wanted}, but got {list(inputs[1:])}"
            )


def normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """Return ``(x - mean) / sqrt(var + eps)`` with mean and variance over some axes."""
    centered = x - x.mean(axis=axes, keepdims=True)
    result: Array = centered / np.sqrt((centered**2).mean(axis=axes, keepdims=True) + eps)
    return result


@register
@frozen
class LayerNorm(_Normalize):
    """Normalize over some axes of each image: ``y = (x - mean) / sqrt(var + eps) * scale + shift``.

    Shapes: x (N, ...), scale and shift of the sizes of the axes, y as x. ``axes=(1,)`` normalizes the channels of each
    pixel, as ConvNeXt does.

    Parameters
    ----------
    axes : tuple of int
        Counted from N = 0.
    eps : float
        Added to the variance; at least 0.

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not fit.

    Notes
    -----
    Equals ONNX LayerNormalization and ``torch.nn.functional.layer_norm`` where the axes are the last ones. Ba et al.,
    2016.

    Examples
    --------
    >>> LayerNorm().shape((96, 8, 8), (96,), (96,))
    (96, 8, 8)
    """

    name: ClassVar[str] = "layer_norm"

    axes: tuple[int, ...] = (1,)
    eps: float = 1e-5

    def __post_init__(self) -> None:
        axes = tuple(sorted(self.axes))
        if not axes or len(set(axes)) < len(axes) or axes[0] < 1:
            raise GraphError(
                f"axes of layer_norm must be different numbers from 1 (axis 0 counts the images), but are {self.axes}"
            )
        set_field(self, "axes", axes)
        self._check_eps(self.eps)

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        if self.axes[-1] > len(x):
            raise GraphError(f"axes of layer_norm must be at most {len(x)} for the shape {x}, but are {self.axes}")
        self._check_parameters(inputs, tuple(x[axis - 1] for axis in self.axes))
        return x

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        y = normalized(x, self.axes, self.eps)
        sizes = [x.shape[axis] if axis in self.axes else 1 for axis in range(1, x.ndim)]
        for parameter, apply in zip(inputs[1:], (np.multiply, np.add), strict=False):
            y = apply(y, parameter.reshape(sizes))
        return y


@register
@frozen
class GroupNorm(_Normalize):
    """Normalize each group of channels of each image, then scale and shift each channel.

    Shapes: x (N, C, ...), scale and shift (C,), y as x. ``groups=C`` is instance norm.

    Parameters
    ----------
    groups : int
        A divisor of C.
    eps : float
        Added to the variance; at least 0.

    Raises
    ------
    GraphError
        If an attribute is out of range or the shapes do not fit.

    Notes
    -----
    Equals ONNX GroupNormalization (opset 21) and InstanceNormalization, and ``torch.nn.functional.group_norm``. Wu and
    He, 2018.

    Examples
    --------
    >>> GroupNorm(4).shape((16, 8, 8), (16,), (16,))
    (16, 8, 8)
    """

    name: ClassVar[str] = "group_norm"

    groups: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise GraphError(f"groups of group_norm must be at least 1, but is {self.groups}")
        self._check_eps(self.eps)

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        if not x:
            raise GraphError("group_norm needs images with a channel axis, but they have no axes")
        if x[0] % self.groups:
            raise GraphError(f"groups of group_norm must divide the {x[0]} channels, but is {self.groups}")
        self._check_parameters(inputs, x[:1])
        return x

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        y = normalized(x.reshape(len(x), self.groups, -1), (2,), self.eps).reshape(x.shape)
        for parameter, apply in zip(inputs[1:], (np.multiply, np.add), strict=False):
            y = apply(y, parameter.reshape(-1, *(1,) * (x.ndim - 2)))
        return y
