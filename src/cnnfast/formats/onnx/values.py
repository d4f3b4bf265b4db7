"""What a name of the file stands for: images, or something that is the same for every image.

The number of images N is not known when a file is read. So everything that is computed in advance is computed twice,
for two values of N: what comes out equal does not depend on it, and a size that comes out as (2, 3) is N itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, Shape

BATCHES = (2, 3)


@dataclass(frozen=True)
class Images:
    """A value of the graph under construction: its name, and the shape of one image, without N."""

    name: str
    shape: Shape


@dataclass(frozen=True, eq=False)
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
        return array[0] if len(array) else array.reshape(array.shape[1:])


Value = Images | Static


@dataclass(frozen=True)
class Unknown:
    """A result that is not computed; what reads it is reported if there is a reason, else something before it was."""

    why: str = ""
