"""Enlarging and shrinking images inside a network."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, need_chw, pair, register, set_field

MODES = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@register
@frozen
class Resize(Op):
    """Interpolate each channel at another resolution.

    Shapes: x (N, C, H, W), y (N, C, OH, OW). Along each axis y is a weighted sum of the 1, 2, 4 or more elements around
    the place that an output pixel has in the input; beyond the edge the edge counts.

    Parameters
    ----------
    size : int or (OH, OW)
    mode : {"nearest", "linear", "cubic"}
    coordinates : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"}
        Where output pixel i is in the input, for a scale s = OH / H: ``(i + 1/2) / s - 1/2``;
        ``i * (H - 1) / (s * H - 1)``; ``i / s``; as the first, but 0 where OH is 1; as the first,
        and moved so that the middle stays the middle where OH is not s * H.
    rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}
        Of the place, in mode nearest.
    scale_h, scale_w : float
        The scale, where it is not OH / H; 0 stands for that. With ``antialias`` the size may be rounded, no more.
    cubic : float
        The coefficient of cubic interpolation.
    antialias : bool
        Whether the window grows where the image shrinks, so that every element counts.
    exclude_outside : bool
        Whether elements beyond the edge are left out, instead of the edge counting for them.

    Raises
    ------
    GraphError
        If an attribute is out of range or the input is not (C, H, W).

    Notes
    -----
    Equals ONNX Resize over H and W, and ``torch.nn.functional.interpolate`` with coordinates half_pixel or
    align_corners (nearest: asymmetric, floor). Keys, 1981, for cubic interpolation.

    Examples
    --------
    >>> Resize(64, "linear").shape((3, 32, 32))
    (3, 64, 64)
    """

    name: ClassVar[str] = "resize"
    keeps_dtype: ClassVar[bool] = True

    size: tuple[int, int]
    mode: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    scale_h: float = 0.0
    scale_w: float = 0.0
    cubic: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False

    def __post_init__(self) -> None:
        set_field(self, "size", pair(self.name, "size", self.size, least=1))
        choices = (("mode", MODES), ("coordinates", COORDINATES), ("rounding", ROUNDINGS))
        for attribute, known in choices:
            if (value := getattr(self, attribute)) not in known:
                raise GraphError(f"{attribute} of resize must be one of {', '.join(known)}, but is {value!r}")
        # a denormal scale would put pixels beyond every number
        if not all(scale == 0 or 1e-6 <= scale <= 1e6 for scale in (self.scale_h, self.scale_w)):
            raise GraphError(f"scales of resize must be 0 or from 1e-6 to 1e6, but are {self.scale_h}, {self.scale_w}")

    @property
    def only_moves(self) -> bool:
        """Whether each element of the result is one of the input's."""
        return self.mode == "nearest" and not self.exclude_outside

    def dtype(self, *inputs: str) -> str:
        result = super().dtype(*inputs)
        if result == "uint8" and not self.only_moves:
            raise GraphError(f"{self.name} in mode {self.mode} computes, so it reads float32, but gets uint8")
        return result

    def shape(self, *inputs: Shape) -> Shape:
        c, h, w = need_chw(self.name, inputs[0])
        for size, outputs, scale in zip((h, w), self.size, (self.scale_h, self.scale_w), strict=True):
            if self.antialias and scale and not (scale * size >= 0.5 and abs(scale * size - outputs) <= 1):
                # windows grow with 1 / scale
                raise GraphError(
                    f"resize with antialias from {size} to {outputs} needs a scale near {outputs / size:.3g}, "
                    f"but it is {scale}"
                )
        return c, *self.size

    def taps(self, size: int, axis: int) -> tuple[Array, Array]:
        """Return which elements an output pixel reads along an axis, and their weights, each of shape (OH, taps)."""
        outputs, scale = self.size[axis], (self.scale_h, self.scale_w)[axis]
        scale = scale or outputs / size
        place = self._places(size, outputs, scale)
        if self.mode == "nearest":
            indices, weights = self._rounded(place)[:, None], np.ones((outputs, 1))
        else:
            indices, weights = self._around(place, self._shrink(size, axis))
        if self.exclude_outside:
            weights = np.where((indices >= 0) & (indices < size), weights, 0)
            weights = weights / weights.sum(axis=1, keepdims=True)
        return np.clip(indices, 0, size - 1).astype(np.intp), weights

    def window(self, size: int, axis: int) -> int:
        """Return how many elements an output pixel reads along an axis, as many as `taps` returns."""
        if self.mode == "nearest":
            return 1
        first, last = self._reach(self._shrink(size, axis))
        return last - first

    def _shrink(self, size: int, axis: int) -> float:
        scale = (self.scale_h, self.scale_w)[axis] or self.size[axis] / size
        return min(scale, 1.0) if self.antialias else 1.0

    def _reach(self, shrink: float) -> tuple[int, int]:
        """Return the first element that counts, relative to a place, and the one behind the last."""
        first = math.floor(-(1 if self.mode == "linear" else 2) / shrink) + 1
        return first, 2 - first

    def _around(self, place: Array, shrink: float) -> tuple[Array, Array]:
        """Return the elements within reach of each place, and their weights; windows grow by ``1 / shrink``."""
        offsets = np.arange(*self._reach(shrink))
        distance = abs(offsets - (place - np.floor(place))[:, None]) * shrink
        weights = np.maximum(1 - distance, 0) if self.mode == "linear" else _cubic(distance, self.cubic)
        if shrink < 1:
            weights = weights / weights.sum(axis=1, keepdims=True)
        return np.floor(place)[:, None] + offsets, weights

    def _places(self, size: int, outputs: int, scale: float) -> Array:
        i = np.arange(outputs, dtype=np.float64)
        if self.coordinates == "align_corners":
            length = scale * size - 1
            return i * (size - 1) / length if length > 0 else i * 0
        if self.coordinates == "asymmetric":
            return i / scale
        if self.coordinates == "pytorch_half_pixel" and outputs == 1:
            return i
        place = (i + 0.5) / scale - 0.5
        if self.coordinates == "half_pixel_symmetric":
            place += size / 2 * (1 - outputs / (scale * size))
        return place

    def _rounded(self, place: Array) -> Array:
        match self.rounding:
            case "floor":
                return np.floor(place)
            case "ceil":
                return np.ceil(place)
            case "round_prefer_floor":
                return np.ceil(place - 0.5)
        return np.floor(place + 0.5)

    def reference(self, *inputs: Array) -> Array:
        y = inputs[0]
        for axis in (0, 1):
            indices, weights = self.taps(y.shape[axis + 2], axis)
            if self.only_moves:
                y = y.take(indices[:, 0], axis=axis + 2)
                continue
            shape = (len(indices), indices.shape[1], *(1,) * (1 - axis))
            y = (y.take(indices, axis=axis + 2) * weights.reshape(shape)).sum(axis=axis + 3)
        return y

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=MODES.index(self.mode) * 8 * math.prod(self.shape(*inputs)))


def _cubic(distance: Array, a: float) -> Array:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
