"""Augmentations that bend an image: crop, shear, zoom and rotation; straight lines stay straight.

Each is a matrix from a pixel of the view to its source in the image; the product of all matrices is applied at once,
so that an image is resampled only once, between four pixels. Pixels from outside are those of the border.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range


class Warp(ABC):
    """An augmentation that is one matrix per image."""

    draws: ClassVar[int]

    @abstractmethod
    def matrices(self, draws: Array, size: tuple[int, int]) -> Array:
        """Return (n, 3, 3): columns (x, y, 1) of the view, from the center, to those of the image of size (H, W)."""


@frozen
class Crop(Warp):
    """A part of the image, anywhere in it, at least ``min_side`` of each side, enlarged to the whole.

    Raises
    ------
    ConfigError
        If ``min_side`` is not between 0 and 1.

    Examples
    --------
    >>> Crop(0.5).matrices(np.array([[0.0, 0.0, 0.0]]), (8, 8))[0]
    array([[ 0.5,  0. , -2. ],
           [ 0. ,  0.5, -2. ],
           [ 0. ,  0. ,  1. ]])
    """

    draws: ClassVar[int] = 3

    min_side: float = 0.8

    def __post_init__(self) -> None:
        check_range("crop", self.min_side, above=0, below=1)

    def matrices(self, draws: Array, size: tuple[int, int]) -> Array:
        """Return the matrices of parts of random size and position."""
        side = self.min_side + (1 - self.min_side) * draws[:, 0]
        down, right = ((draws[:, i + 1] - 0.5) * (1 - side) * size[i] for i in range(2))
        return _matrices(side, 0, right, 0, side, down)


@frozen
class Zoom(Warp):
    """Larger or smaller, by a factor from ``1 - max_change`` to ``1 + max_change``, the same both ways.

    Raises
    ------
    ConfigError
        If ``max_change`` is not between 0 and 1.

    Examples
    --------
    >>> float(Zoom(0.2).matrices(np.array([[0.5]]), (8, 8))[0, 0, 0])
    1.0
    """

    draws: ClassVar[int] = 1

    max_change: float = 0.2

    def __post_init__(self) -> None:
        check_range("zoom", self.max_change, above=0, below=1)

    def matrices(self, draws: Array, size: tuple[int, int]) -> Array:
        """Return the matrices of random sizes."""
        factor = 1 + self.max_change * (2 * draws[:, 0] - 1)
        return _matrices(factor, 0, 0, 0, factor, 0)


@frozen
class Shear(Warp):
    """Rows shifted against each other by up to ``max_shear`` pixels per row, either way.

    Raises
    ------
    ConfigError
        If ``max_shear`` is not between 0 and 1.

    Examples
    --------
    >>> float(Shear(0.2).matrices(np.array([[0.75]]), (8, 8))[0, 0, 1].round(3))
    0.1
    """

    draws: ClassVar[int] = 1

    max_shear: float = 0.2

    def __post_init__(self) -> None:
        check_range("shear", self.max_shear, above=0, below=1)

    def matrices(self, draws: Array, size: tuple[int, int]) -> Array:
        """Return the matrices of random slopes."""
        return _matrices(1, self.max_shear * (2 * draws[:, 0] - 1), 0, 0, 1, 0)


@frozen
class Rotate(Warp):
    """Turned around the center by up to ``max_degrees`` degrees, either way.

    Raises
    ------
    ConfigError
        If ``max_degrees`` is not above 0.

    Examples
    --------
    >>> Rotate(90).matrices(np.array([[0.0]]), (8, 8))[0].round(3) + 0
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.],
           [ 0.,  0.,  1.]])
    """

    draws: ClassVar[int] = 1

    max_degrees: float = 15.0

    def __post_init__(self) -> None:
        check_range("rotate", self.max_degrees, above=0)

    def matrices(self, draws: Array, size: tuple[int, int]) -> Array:
        """Return the matrices of random angles."""
        angle = np.deg2rad(self.max_degrees) * (2 * draws[:, 0] - 1)
        return _matrices(np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0)


def _matrices(*entries: Array | float) -> Array:
    """Return matrices (n, 3, 3) of their first two rows; an entry is a number or an array (n,)."""
    rows = np.broadcast_arrays(*np.atleast_1d(*entries, 0.0, 0.0, 1.0))
    return np.stack(rows, axis=-1).astype(np.float64).reshape(-1, 3, 3)


def resample(images: Array, warps: Sequence[Warp], draws: Sequence[Array]) -> Array:
    """Return views of images (n, H, W, C) after all warps, the first one first, interpolated between four pixels.

    Examples
    --------
    >>> images = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    >>> resample(images, [Rotate(90)], [np.array([[0.0]])])[0, :, :, 0].round(3)
    array([[2., 0.],
           [3., 1.]], dtype=float32)
    """
    height, width = images.shape[1:3]
    each = [warp.matrices(drawn.astype(np.float64), (height, width)) for warp, drawn in zip(warps, draws, strict=True)]
    matrix = functools.reduce(np.matmul, each).astype(np.float32)
    y, x = (np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2) for size in (height, width))
    sources = [
        matrix[:, row, 0, None, None] * x + matrix[:, row, 1, None, None] * y[:, None] + matrix[:, row, 2, None, None]
        for row in range(2)
    ]
    return _between_four(images, sources[1] + np.float32((height - 1) / 2), sources[0] + np.float32((width - 1) / 2))


def _between_four(images: Array, y: Array, x: Array) -> Array:
    """Return the values of images at positions (n, H, W), in pixels, by bilinear interpolation."""
    count, height, width, channels = images.shape
    top, down = _split(y, height)
    left, right = _split(x, width)
    first = top * width + left
    first += (np.arange(count) * (height * width))[:, None, None]
    # The neighbor below and to the right; at the last row and column it is the pixel itself.
    right_of = first + (left < width - 1)
    step = width * (top < height - 1)
    below, across = first + step, right_of + step
    result = np.empty_like(images)
    for channel in range(channels):
        # One channel at a time: NumPy gathers single numbers much faster than triples.
        plane = images[..., channel].astype(np.float32).reshape(-1)
        upper = _blend(plane.take(first), plane.take(right_of), right)
        lower = _blend(plane.take(below), plane.take(across), right)
        value = _blend(upper, lower, down)
        if images.dtype == np.uint8:
            value += np.float32(0.5)
        result[..., channel] = value
    return result


def _split(positions: Array, size: int) -> tuple[Array, Array]:
    """Return the pixel at or before each position, clipped to the image, and the fraction of a pixel beyond it."""
    inside = np.clip(positions, 0, size - 1)
    whole = inside.astype(np.intp)
    inside -= whole.astype(np.float32)
    return whole, inside


def _blend(a: Array, b: Array, part: Array) -> Array:
    """Return ``a + part (b - a)``, in the memory of b."""
    b -= a
    b *= part
    b += a
    return b
