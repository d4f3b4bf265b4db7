"""Views of the training images: mirrored, shifted, bent, lit and covered, differently in every epoch.

An augmentation is a function of images and of random numbers, one row for each image; the numbers come from `rng`, so
that a view depends on nothing but the seed, the epoch and the image. Images are uint8 or float32, (N, H, W, C). Those
that move pixels along straight lines are in `affine_augment`. To add one, write such a class and list it in
`AUGMENTATIONS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range, set_whole
from cnnfast.train import rng
from cnnfast.train.affine_augment import Crop, Rotate, Shear, Warp, Zoom, resample


@runtime_checkable
class Pointwise(Protocol):
    """An augmentation that changes images by its own formula."""

    draws: ClassVar[int]

    def apply(self, images: Array, draws: Array) -> Array:
        """Return views of ``images`` (n, H, W, C), not changing them; ``draws`` is (n, k), numbers in [0, 1)."""
        ...


@frozen
class Flip:
    """Left and right exchanged, for one image in two.

    Parameters
    ----------
    alternate : bool
        Each image is mirrored in every other epoch, half of them first: two epochs show both views of every image,
        where a coin would show one of them twice half of the time (Jordan 2024, arXiv 2404.00498).

    Examples
    --------
    >>> Flip().apply(np.array([1, 2], np.uint8).reshape(1, 1, 2, 1), np.array([[0.4]])).ravel()
    array([2, 1], dtype=uint8)
    """

    draws: ClassVar[int] = 1

    alternate: bool = True

    def apply(self, images: Array, draws: Array) -> Array:
        """Return images, mirrored where the number is below a half."""
        views = images.copy()
        chosen = draws[:, 0] < 0.5
        views[chosen] = images[chosen, :, ::-1]
        return views


@frozen
class Shift:
    """Moved by up to ``max_shift`` pixels each way; the pixels that come in are a reflection at the border.

    Raises
    ------
    ConfigError
        If ``max_shift`` is less than 1.

    Examples
    --------
    >>> row = np.array([1, 2, 3], np.uint8).reshape(1, 1, 3, 1)
    >>> Shift(1).apply(np.repeat(row, 3, axis=1), np.array([[0.5, 0.9]]))[0, 0, :, 0]
    array([2, 1, 2], dtype=uint8)
    """

    draws: ClassVar[int] = 2

    max_shift: int = 1

    def __post_init__(self) -> None:
        set_whole(self, "max_shift", 1, called="shift")

    def apply(self, images: Array, draws: Array) -> Array:
        """Return images, moved down and right by the two numbers."""
        reach = self.max_shift
        if reach >= min(images.shape[1:3]):
            raise ConfigError(f"shift must be below the side of the images, {min(images.shape[1:3])}, but is {reach}")
        padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
        down, right = (2 * reach - (draws * (2 * reach + 1)).astype(np.intp)).T
        windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
        # The fancy index copies one window per image, (n, C, H, W) in the strides of the padded images.
        return np.ascontiguousarray(windows[np.arange(len(images)), down, right].transpose(0, 2, 3, 1))


@frozen
class Brightness:
    """Every value times a factor from ``1 - max_change`` to ``1 + max_change``, one for each image.

    Raises
    ------
    ConfigError
        If ``max_change`` is not between 0 and 1.

    Examples
    --------
    >>> Brightness(0.5).apply(np.full((1, 1, 1, 1), 200, np.uint8), np.array([[0.999]])).ravel()
    array([255], dtype=uint8)
    """

    draws: ClassVar[int] = 1

    max_change: float = 0.2

    def __post_init__(self) -> None:
        check_range("brightness", self.max_change, above=0, below=1)

    def apply(self, images: Array, draws: Array) -> Array:
        """Return images with their factors applied; bytes are rounded and end at 255."""
        factor = (1 + self.max_change * (2 * draws[:, 0] - 1)).astype(np.float32)[:, None, None, None]
        if images.dtype != np.uint8:
            return images * factor
        scaled = images * factor
        scaled += np.float32(0.5)
        np.minimum(scaled, 255, out=scaled)
        return scaled.astype(np.uint8)


@frozen
class Cutout:
    """A square of ``side`` pixels covered with gray (bytes: 128, floats: 0), anywhere, partly outside too.

    After DeVries and Taylor (2017).

    Raises
    ------
    ConfigError
        If ``side`` is less than 1.

    Examples
    --------
    >>> Cutout(1).apply(np.zeros((1, 1, 3, 1), np.uint8), np.array([[0.0, 0.5]])).ravel()
    array([  0, 128,   0], dtype=uint8)
    """

    draws: ClassVar[int] = 2

    side: int = 8

    def __post_init__(self) -> None:
        set_whole(self, "side", 1, called="cutout")

    def apply(self, images: Array, draws: Array) -> Array:
        """Return images with a square covered, its center given by the two numbers."""
        covered = [
            np.abs(np.arange(size) - (position * size).astype(np.intp)[:, None] + (self.side % 2 == 0) / 2)
            <= (self.side - 1) / 2
            for size, position in zip(images.shape[1:3], draws.T, strict=True)
        ]
        views = images.copy()
        views[covered[0][:, :, None] & covered[1][:, None, :]] = 128 if images.dtype == np.uint8 else 0
        return views


Augmentation = Pointwise | Warp

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "flip": Flip,
    "shift": Shift,
    "crop": Crop,
    "shear": Shear,
    "zoom": Zoom,
    "rotate": Rotate,
    "brightness": Brightness,
    "cutout": Cutout,
}
"""Every augmentation by the name that the command line knows; tests go through all of them."""


class Views:
    """The views of one epoch.

    Parameters
    ----------
    augmentations : sequence of Augmentation
        In the order in which they are applied; neighbors that bend the image share one resampling.
    seed, epoch : int
    images : int
        How many there are in all.

    Examples
    --------
    >>> images = np.arange(12, dtype=np.uint8).reshape(3, 1, 4, 1)
    >>> views = Views([Flip()], seed=0, epoch=0, images=3)
    >>> bool((views(images, np.arange(3))[2] == views(images[2:], np.array([2]))[0]).all())
    True
    """

    def __init__(self, augmentations: Sequence[Augmentation], seed: int, epoch: int, images: int) -> None:
        self._steps: list[tuple[list[Augmentation], list[Array]]] = []
        numbered = enumerate(augmentations)
        for bends, group in groupby(numbered, key=lambda item: isinstance(item[1], Warp)):
            for part in [list(group)] if bends else [[item] for item in group]:
                tables = [_table(a, f"{number} {type(a).__name__}", seed, epoch, images) for number, a in part]
                self._steps.append(([a for _, a in part], tables))

    def __call__(self, images: Array, which: Array) -> Array:
        """Return the views of some images, (n, H, W, C), which are those with the numbers ``which``, (n,)."""
        for augmentations, tables in self._steps:
            drawn = [table[which] for table in tables]
            if isinstance(augmentations[0], Warp):
                images = resample(images, [a for a in augmentations if isinstance(a, Warp)], drawn)
            else:
                images = augmentations[0].apply(images, drawn[0])
        return images


def _table(augmentation: Augmentation, use: str, seed: int, epoch: int, images: int) -> Array:
    """Return the numbers of one augmentation in one epoch, (images, k)."""
    if isinstance(augmentation, Flip) and augmentation.alternate:
        # Every other epoch mirrors the images that the one before did not.
        table = rng.uniform(seed, 0, use, images, augmentation.draws)
        return (table + np.float32(0.5 * (epoch % 2))) % np.float32(1)
    return rng.uniform(seed, epoch, use, images, augmentation.draws)
