"""Ops that move elements and compute nothing: flatten, reshape, transpose, pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, need_chw, pair, register, set_field, sides
from cnnfast.ops.slice import Slice

PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")

MAX_AXES = 8
"""The most axes that an image may have between a reshape and a transpose."""


class _Move(Op):
    def cost(self, *inputs: Shape) -> Cost:
        return Cost()


@register
@frozen
class Flatten(_Move):
    """Store each image as one row, in the order C, H, W.

    Shapes: x (N, ...), y (N, F) with F the product of the others.

    Notes
    -----
    Equals ONNX Flatten and ``torch.flatten(x, 1)``.

    Examples
    --------
    >>> Flatten().shape((20, 4, 4))
    (320,)
    """

    name: ClassVar[str] = "flatten"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def reference(self, *inputs: Array) -> Array:
        return inputs[0].reshape(len(inputs[0]), -1)


@register
@frozen
class Reshape(_Move):
    """Give each image another shape with the same elements in the same order.

    Parameters
    ----------
    target : tuple of int
        The new shape of one image, without N, of up to eight axes; one size may be -1 and follows from the others.

    Raises
    ------
    GraphError
        If the number of elements differs.

    Notes
    -----
    Equals ONNX Reshape and ``torch.reshape`` with the images kept apart.

    Examples
    --------
    >>> Reshape((4, 4, -1)).shape((320,))
    (4, 4, 20)
    """

    name: ClassVar[str] = "reshape"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    target: tuple[int, ...]

    def __post_init__(self) -> None:
        target = tuple(self.target)
        if not 1 <= len(target) <= MAX_AXES or target.count(-1) > 1 or any(d < 1 and d != -1 for d in target):
            raise GraphError(
                f"target of reshape must be one to {MAX_AXES} positive sizes, at most one of them -1, but is "
                f"{target if len(target) <= MAX_AXES else f'{len(target)} sizes'}"
            )
        set_field(self, "target", target)

    def shape(self, *inputs: Shape) -> Shape:
        elements = math.prod(inputs[0])
        known = math.prod(d for d in self.target if d != -1)
        target = tuple(elements // known if d == -1 else d for d in self.target)
        if math.prod(target) != elements:
            raise GraphError(f"reshape cannot turn {inputs[0]} ({elements} elements) into {self.target}")
        return target

    def reference(self, *inputs: Array) -> Array:
        return inputs[0].reshape(len(inputs[0]), *self.shape(inputs[0].shape[1:]))


@register
@frozen
class Transpose(_Move):
    """Reorder the axes of each image.

    Parameters
    ----------
    order : tuple of int
        Where each new axis comes from, as in ``numpy.transpose``, counted from N = 0, which must stay in front.

    Raises
    ------
    GraphError
        If ``order`` is not a permutation of the axes, or moves N.

    Notes
    -----
    Equals ONNX Transpose and ``torch.permute``.

    Examples
    --------
    >>> Transpose((0, 2, 3, 1)).shape((3, 32, 24))
    (32, 24, 3)
    """

    name: ClassVar[str] = "transpose"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        order = tuple(self.order)
        if sorted(order) != list(range(len(order))) or not 2 <= len(order) <= MAX_AXES + 1 or order[0] != 0:
            raise GraphError(
                f"order of transpose must start with 0 and permute two to {MAX_AXES + 1} axes, but is {order}"
            )
        set_field(self, "order", order)

    def shape(self, *inputs: Shape) -> Shape:
        if len(self.order) != len(inputs[0]) + 1:
            raise GraphError(f"transpose{self.order} does not fit an image of shape {inputs[0]}")
        return tuple(inputs[0][axis - 1] for axis in self.order[1:])

    def reference(self, *inputs: Array) -> Array:
        return np.transpose(inputs[0], self.order)


@register
@frozen
class Pad(_Move):
    """Surround each image with a constant or with its own pixels.

    Shapes: x (N, C, H, W), y (N, CF + C + CB, PT + H + PB, PL + W + PR).

    Parameters
    ----------
    padding : int, (vertical, horizontal) or (top, left, bottom, right)
    value : float
        Of the border, in mode constant.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What the border repeats: the value; the pixel at the edge; the image mirrored at the pixel at the edge (123 ->
        32123), or at the edge itself (123 -> 21123); the image again. As in ``numpy.pad``.
    channels : (front, back)
        How many channels are put in front and behind; they follow the same rule.

    Raises
    ------
    GraphError
        If the padding is negative, the image is too small for the mode, or the input is not (C, H, W).

    Notes
    -----
    Equals ONNX Pad and ``torch.nn.functional.pad`` (replicate is edge, circular is wrap). Symmetric is TensorFlow's.
    Around bytes ``value`` is a byte.

    Examples
    --------
    >>> Pad(2).shape((3, 32, 32))
    (3, 36, 36)
    """

    name: ClassVar[str] = "pad"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    padding: tuple[int, int, int, int]
    value: float = 0.0
    mode: str = "constant"
    channels: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        set_field(self, "padding", sides(self.name, self.padding))
        set_field(self, "channels", pair(self.name, "channels", self.channels, least=0))
        if self.mode not in PAD_MODES:
            raise GraphError(f"mode of pad must be one of {', '.join(PAD_MODES)}, but is {self.mode!r}")

    def dtype(self, *inputs: str) -> str:
        result = super().dtype(*inputs)
        if result == "uint8" and self.mode == "constant" and self.value not in range(256):
            raise GraphError(f"value of {self.name} around bytes must be one from 0 to 255, but is {self.value!r}")
        return result

    def around(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Return how much is put before and behind each axis of one image."""
        top, left, bottom, right = self.padding
        return self.channels, (top, bottom), (left, right)

    def shape(self, *inputs: Shape) -> Shape:
        c, h, w = need_chw(self.name, inputs[0])
        for size, amount in zip((c, h, w), self.around(), strict=True):
            most = {"reflect": size - 1, "symmetric": size, "wrap": size}.get(self.mode)
            if most is not None and max(amount) > most:
                raise GraphError(f"pad in mode {self.mode} can add at most {most} to an axis of {size}, not {amount}")
        front, back = self.channels
        top, left, bottom, right = self.padding
        return front + c + back, top + h + bottom, left + w + right

    def adds_zeros_around_pixels(self) -> bool:
        """Return whether this is what convolutions call padding."""
        return self.mode == "constant" and self.value == 0 and self.channels == (0, 0)

    def reference(self, *inputs: Array) -> Array:
        amounts = ((0, 0), *self.around())
        if self.mode == "constant":
            return np.pad(inputs[0], amounts, constant_values=self.value)
        return np.pad(inputs[0], amounts, mode=self.mode)  # type: ignore[call-overload,no-any-return]


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the padding (before, after) that Keras and ONNX call SAME (upper): the odd pixel comes last.

    Examples
    --------
    >>> same_padding(32, kernel=3, stride=2)
    (0, 1)
    """
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def moves_nothing(op: Op, before: Shape, after: Sequence[int]) -> bool:
    """Return whether an op leaves every image as it was, in shape and in content."""
    if isinstance(op, Transpose):
        return op.order == tuple(range(len(op.order)))
    if isinstance(op, Slice):
        return op.count == tuple(before) and all(step == 1 for step in op.step)
    return isinstance(op, Flatten | Reshape | Pad) and tuple(before) == tuple(after)
