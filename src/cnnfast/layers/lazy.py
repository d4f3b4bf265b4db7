"""Layers whose weights follow from the shape of their input: ``Conv2d(16, 3)``, ``Linear(10)``, ``BatchNorm()``.

`cnnfast.layers` makes them where it gets numbers instead of arrays; `cnnfast.Network.build` makes their weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops import Array, Op, Shape

Size = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[int, int, int, int] | str


@frozen
class LazyLayer:
    """A layer without weights.

    Attributes
    ----------
    text : str
        How it was written.
    kind : type
        Of its op.
    make : callable
        Returns its op and its parameters, all zeros, for the shape of its input.
    name : str, optional
    """

    text: str
    kind: type[Op]
    make: Callable[[Shape], tuple[Op, dict[str, Array]]]
    name: str | None = None

    def __repr__(self) -> str:
        return self.text


def lazy_conv2d(
    filters: int,
    kernel: Size,
    stride: Size,
    padding: Padding,
    dilation: Size,
    groups: int,
    bias: bool,
    name: str | None,
) -> LazyLayer:
    """Return a convolution of ``filters`` filters; padding may be ``"same"`` or ``"valid"``, as in Keras."""
    _positive("the number of filters of Conv2d", filters)
    kh, kw = _pair("the kernel of Conv2d", kernel)
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise GraphError(f"padding of Conv2d must be numbers, 'same' or 'valid', but is {padding!r}")
    attributes = ops.Conv2d(stride, 0 if isinstance(padding, str) else padding, dilation, groups)  # type: ignore[arg-type]

    def make(shape: Shape) -> tuple[Op, dict[str, Array]]:
        op = attributes
        if len(shape) != 3:
            raise GraphError(f"Conv2d needs images of shape (C, H, W), but meets {shape}")
        if padding == "same":
            op = ops.Conv2d(op.stride, _same(shape[1:], (kh, kw), op.stride, op.dilation), op.dilation, groups)
        if shape[0] % groups:
            raise GraphError(f"groups of Conv2d must divide the channels, but {groups} does not divide {shape[0]}")
        weight = {"weight": zeros((filters, shape[0] // groups, kh, kw))}
        return op, weight | ({"bias": zeros((filters,))} if bias else {})

    return LazyLayer(f"Conv2d({filters}, {kernel})", ops.Conv2d, make, name)


def lazy_linear(outputs: int, bias: bool, name: str | None) -> LazyLayer:
    """Return a dense layer of ``outputs`` outputs."""
    _positive("the number of outputs of Linear", outputs)

    def make(shape: Shape) -> tuple[Op, dict[str, Array]]:
        if len(shape) != 1:
            raise GraphError(f"Linear needs rows of features (F,), but meets {shape}; put Flatten() before it")
        return ops.Linear(), {"weight": zeros((outputs, shape[0]))} | ({"bias": zeros((outputs,))} if bias else {})

    return LazyLayer(f"Linear({outputs})", ops.Linear, make, name)


def lazy_channels(text: str, op: Op, names: tuple[str, ...], name: str | None) -> LazyLayer:
    """Return a layer with one number for each channel in each of its parameters."""

    def make(shape: Shape) -> tuple[Op, dict[str, Array]]:
        return op, {parameter: zeros((shape[0],)) for parameter in names}

    return LazyLayer(text, type(op), make, name)


def zeros(shape: Shape) -> Array:
    """Return zeros that take no memory, however many."""
    return np.broadcast_to(np.float32(0), shape)


def is_number(value: object) -> bool:
    """Return whether a layer was given a number where it may have an array."""
    return isinstance(value, int | np.integer)


def _same(size: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Any:
    """Return (top, left, bottom, right) with which the result has ``ceil(size / stride)`` rows and columns."""
    whole = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        whole.append(max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0))
    return (whole[0] // 2, whole[1] // 2, whole[0] - whole[0] // 2, whole[1] - whole[1] // 2)


def _positive(what: str, value: object) -> None:
    if isinstance(value, bool) or not is_number(value) or value < 1:  # type: ignore[operator]
        raise GraphError(f"{what} must be an integer from 1 up, but is {value!r}")


def _pair(what: str, value: object) -> tuple[int, int]:
    sides = value if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2:
        raise GraphError(f"{what} must be one or two integers, but is {value!r}")
    for side in sides:
        _positive(what, side)
    return int(sides[0]), int(sides[1])
