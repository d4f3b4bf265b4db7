"""What a name of the file stands for: images, or something that is the same for every image.

The number of images N is not known when a file is read. So everything that is computed in advance is computed twice,
for two values of N: what comes out equal does not depend on it, and a size that comes out as (2, 3) is N itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.ops import Array, Shape

BATCHES = (2, 3)


@frozen
class Integers:
    """What the integers of a file stand for: ``number = (integer - zero) * scale``. The graph computes the numbers.

    Integers that a network is given as images stand for themselves: scale 1, zero 0.

    Attributes
    ----------
    dtype : dtype
        Of the file's elements.
    scale, zero : float or str
        A name where DynamicQuantizeLinear finds them in the images: that of its first result.
    """

    dtype: np.dtype[Any]
    scale: float | str = 1.0
    zero: float | str = 0.0

    @property
    def is_raw(self) -> bool:
        """Whether each integer stands for itself."""
        return (self.scale, self.zero) == (1.0, 0.0)

    def numbers(self, array: Array) -> Array:
        """Return what integers stand for."""
        if isinstance(self.scale, str) or isinstance(self.zero, str):
            raise UnsupportedError(f"a constant with {self}")
        return ((array.astype(np.float64) - self.zero) * self.scale).astype(np.float32)

    def __str__(self) -> str:
        if self.is_raw:
            return f"integers of type {self.dtype}"
        where = "found in the images" if isinstance(self.scale, str) else f"{self.scale:g}, zero point {self.zero:g}"
        return f"integers of type {self.dtype} with the scale {where}"


@frozen
class OnnxImages:
    """A value of the graph under construction.

    Attributes
    ----------
    name : str
    shape : Shape
        Of one image, without N.
    integers : Integers, optional
        Where the file holds integers: what they stand for. The value of the graph is the numbers, not the integers.
    at : int
        Which axis of the file counts the images; in the graph it is always axis 0. Networks with attention put it
        behind others for a while.
    is_joined : bool
        Whether the file counts the images and the first axis of ``shape`` by one axis, as heads of attention.
    """

    name: str
    shape: Shape
    integers: Integers | None = None
    at: int = 0
    is_joined: bool = False

    @property
    def real(self) -> OnnxImages:
        """The same value for an operator that has seen to the integers."""
        return replace(self, integers=None)

    @property
    def in_front(self) -> OnnxImages:
        """The same value for an operator that has seen to the axis of the images."""
        return replace(self, at=0)

    @property
    def apart(self) -> OnnxImages:
        """The same value for an operator that has seen to the axis that images and heads share."""
        return replace(self, is_joined=False)

    def in_file(self, images: object) -> tuple[object, ...]:
        """Return the shape that the file has, with a number or name for the number of images."""
        if self.is_joined:
            first = images * self.shape[0] if isinstance(images, int) else f"{images}*{self.shape[0]}"
            return (first, *self.shape[1:])
        return (*self.shape[: self.at], images, *self.shape[self.at :])


@frozen(eq=False)
class Static:
    """What is known in advance: an array for each of `BATCHES`, usually the same."""

    pair: tuple[Array, Array]

    @classmethod
    def of(cls, array: object) -> Static:
        """Return an array that does not depend on the number of images."""
        fixed = np.asarray(array)
        return cls((fixed, fixed))

    @property
    def is_fixed(self) -> bool:
        """Whether it does not depend on the number of images."""
        a, b = self.pair
        return a is b or (a.shape == b.shape and bool(np.array_equal(a, b)))

    @property
    def array(self) -> Array:
        """The array, where it does not depend on the number of images."""
        if not self.is_fixed:
            raise UnsupportedError("an array that depends on the number of images; only a shape may")
        return self.pair[0]

    def of_one_image(self, rank: int) -> Array:
        """Return what every image gets: broadcast against images with ``rank`` axes, without the axis of the images."""
        array = self.pair[0]
        if array.ndim <= rank:
            return self.array
        if array.ndim > rank + 1:
            raise UnsupportedError(f"a constant of shape {array.shape}, which puts axes in front of the images")
        if not all(len(part) == 0 or (part == part[:1]).all() for part in self.pair):
            raise UnsupportedError(f"a constant of shape {array.shape} that differs from image to image")
        if not self.is_fixed and [len(part) for part in self.pair] != list(BATCHES):
            raise UnsupportedError("an array that depends on the number of images; only a shape may")
        if not len(array):
            raise UnsupportedError(f"a constant of shape {array.shape}, which is for no images")
        first: Array = array[0]
        return first


@frozen(eq=False)
class FoundScale:
    """A scale or zero point that DynamicQuantizeLinear finds in the images; it is never computed, since it cancels out.

    Attributes
    ----------
    source : str
        The first result of the node that finds it.
    factor : array, optional
        What the scale is multiplied by; None for a zero point.
    """

    source: str
    factor: Array | None


Value = OnnxImages | Static | FoundScale


@frozen
class Unknown:
    """A result that is not computed; what reads it is reported if there is a reason, else something before it was.

    Attributes
    ----------
    why : str
    of_images : bool
        Whether it would be computed from the images, as far as is known.
    """

    why: str = ""
    of_images: bool = True


def whole(array: Array) -> list[int]:
    """Return an array of integers as a list."""
    if array.dtype.kind not in "iub":
        raise ModelFileError(f"integers are needed, but an array of {array.dtype} is given")
    return [int(v) for v in array.reshape(-1)]
