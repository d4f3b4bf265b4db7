"""Images and what they show, in memory, checked before anything is learned from them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError, DataError, InputError
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Array
from cnnfast.runtime.arguments import instance, quoted
from cnnfast.runtime.random import generator


@frozen(eq=False)
class Examples:
    """Images with their classes.

    Attributes
    ----------
    images : array
        uint8 or float32 pictures, (N, H, W, C), or float32 rows of features, (N, F).
    labels : array
        The number of each image's class, int64 (N,); or how much it belongs to each, float32 (N, K).
    classes : tuple of str, or None
        The name of each class.
    name : str
        Where they come from.

    Raises
    ------
    DataError
        If there are no images, or not as many labels.
    InputError
        If an array is of another type or shape, or a value is not finite.

    Examples
    --------
    >>> examples = Examples(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 1, 0]), ("cat", "dog"))
    >>> len(examples), examples.class_count
    (4, 2)
    """

    images: Array
    labels: Array
    classes: tuple[str, ...] | None = None
    name: str = "the training images"

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", _images(self.images, self.name))
        object.__setattr__(self, "labels", _labels(self.labels, self.name))
        if not len(self.images):
            raise DataError(f"{self.name}: there are no images to learn from")
        if len(self.images) != len(self.labels):
            raise DataError(f"{self.name}: there are {len(self.images)} images, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def class_count(self) -> int:
        """K: as many as have names; else the columns of probabilities, or one more than the largest label."""
        if self.classes is not None:
            return len(self.classes)
        return self.labels.shape[1] if self.labels.ndim == 2 else int(self.labels.max()) + 1

    @cached_property
    def numbers(self) -> Array:
        """The number of each image's class, (N,); of probabilities, the largest."""
        return self.labels if self.labels.ndim == 1 else self.labels.argmax(axis=1)

    def take(self, which: Array) -> Examples:
        """Return some of them."""
        return replace(self, images=self.images[which], labels=self.labels[which])

    def digest(self) -> str:
        """Return the SHA-256 of images and labels."""
        total = hashlib.sha256(f"{self.images.dtype}{self.images.shape}{self.labels.dtype}".encode())
        for array in (self.images, self.labels):
            total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return total.hexdigest()


def _images(images: object, name: str) -> Array:
    array = _array(images, f"{name}: images to learn from", InputError)
    if array.dtype in (np.float64, np.float16):
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.float32) or array.ndim not in (2, 4):
        raise InputError(
            f"{name}: images to learn from must be uint8 or floats, of shape (N, H, W, C) or rows (N, F), but are "
            f"{array.dtype} of shape {array.shape}{_image_hint(array)}"
        )
    if array.dtype == np.float32 and not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"{name}: image {first[0]} has a value that is not finite, at {first[1:].tolist()}")
    return array


def _image_hint(array: Array) -> str:
    """Return what to do about an array that is almost one of images."""
    if array.ndim == 3:
        return "; gray images need an axis for their channel: images[..., None]"
    if array.dtype.kind in "iu" and array.ndim in (2, 4):
        return "; pass pixels from 0 to 255 as np.asarray(images, np.uint8)"
    return ""


def _array(value: object, what: str, error: type[CnnfastError]) -> Array:
    try:
        return np.asarray(value)
    # an object with the array protocol may raise anything
    except Exception as cause:
        raise error(f"{what} cannot be read as an array: {type(value).__name__}: {cause}") from cause


def _labels(labels: object, name: str) -> Array:
    array = _array(labels, f"{name}: labels", DataError)
    if array.ndim == 1 and array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.ndim == 2 and array.dtype.kind == "f":
        return array.astype(np.float32)
    raise DataError(
        f"{name}: labels must be the numbers of classes (N,), or probabilities (N, K), but are {array.dtype} of shape "
        f"{array.shape}{_label_hint(array)}"
    )


def _label_hint(array: Array) -> str:
    """Return what to do about an array that is almost one of labels."""
    if array.ndim == 1 and array.dtype.kind in "UO":
        return "; names become numbers by [classes.index(name) for name in names]"
    if array.ndim == 1 and array.dtype.kind in "bf":
        return "; labels.astype(int) makes numbers of them"
    if array.ndim == 2 and array.shape[1] == 1:
        return "; labels.reshape(-1) brings them into one axis"
    if array.ndim == 2 and array.dtype.kind in "iub":
        return "; one-hot labels become numbers by labels.argmax(axis=1)"
    return ""


def check_classes(examples: Examples, classes: int) -> None:
    """Check that a network with that many classes can learn from examples.

    Raises
    ------
    DataError
        If a label is out of range, there is a class without an image, or only a single class.

    Examples
    --------
    >>> check_classes(Examples(np.zeros((2, 3), np.float32), np.array([0, 2])), 3)
    Traceback (most recent call last):
    cnnfast.errors.DataError: the training images: no image shows class 1; ...
    """
    labels = examples.labels
    if labels.ndim == 2:
        if labels.shape[1] != classes:
            raise DataError(f"{examples.name}: has {labels.shape[1]} probabilities per image, not {classes}")
        return
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise DataError(
            f"{examples.name}: image {wrong[0]} has the label {labels[wrong[0]]}, and {wrong.size} labels in all are "
            f"out of range: the network tells {classes} classes apart, so labels must be 0 to {classes - 1}"
        )
    if examples.class_count == 1 and len(np.unique(labels)) == 1:
        only = "class 0" if examples.classes is None else examples.classes[0]
        raise DataError(
            f"{examples.name}: all images show {only}, and a network learns to tell at least two classes apart; add "
            f"images that show something else, for example in a second folder of pictures next to {only}"
        )
    empty = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
    if empty.size:
        known = examples.classes or ()
        names = [known[i] if i < len(known) else str(i) for i in empty]
        raise DataError(
            f"{examples.name}: no image shows class {', '.join(names[:8])}; a network cannot learn what it never sees: "
            "add images, or leave the class out"
        )


def split(examples: Examples, fraction: float, seed: int = 0) -> tuple[Examples, Examples]:
    """Divide examples into those to learn from and those to check with, the same fraction of each class.

    Raises
    ------
    DataError
        If a class has too few images to be divided.

    Examples
    --------
    >>> whole = Examples(np.zeros((10, 3), np.float32), np.array([0, 1] * 5))
    >>> training, validation = split(whole, 0.2)
    >>> len(training), sorted(validation.labels.tolist())
    (8, [0, 1])
    """
    instance("the first argument", examples, Examples, "which cnnfast.train.Examples(images, labels) makes")
    number = isinstance(fraction, float | np.floating)
    if not number or not 0 < fraction < 1:
        raise DataError(f"the part for validation must be between 0 and 1, but is {quoted(fraction)}")
    order = generator(seed, 0, "validation").permutation(len(examples))
    chosen = np.zeros(len(examples), bool)
    for label in np.unique(examples.numbers):
        members = order[examples.numbers[order] == label]
        count = max(1, round(fraction * len(members)))
        if count == len(members):
            raise DataError(
                f"{examples.name}: class {label} has {len(members)} images, too few to set {fraction:g} aside"
            )
        chosen[members[:count]] = True
    kept, aside = examples.take(np.flatnonzero(~chosen)), examples.take(np.flatnonzero(chosen))
    return kept, replace(aside, name=f"the validation part of {examples.name}")


def fit_scaling(images: Array, preprocess: Preprocess) -> Preprocess:
    """Return the preprocessing whose result has mean 0 and standard deviation 1 on these images, channel by channel.

    Parameters
    ----------
    images : uint8 array (N, H, W, C)
    preprocess : Preprocess
        All but its mean and std is kept.

    Raises
    ------
    InputError
        If the images are not bytes.

    Examples
    --------
    >>> images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    >>> fitted = fit_scaling(images, Preprocess(size=(1, 1), channels="gray"))
    >>> fitted.mean, fitted.std
    ((0.5,), (0.5,))
    """
    instance("the first argument", images, np.ndarray, "pixels (N, H, W, C)", InputError)
    instance("the second argument", preprocess, Preprocess, "such as net.preprocess")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(f"the scaling is fitted to bytes, but the images are {images.dtype}")
    # Every byte is counted: the sums are exact, and so the same on every machine.
    counts = np.stack([np.bincount(images[..., c].reshape(-1), minlength=256) for c in range(images.shape[3])])
    values = np.arange(256) * preprocess.scale
    total = counts.sum(axis=1)
    mean = counts @ values / total
    std = np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0))
    # A constant channel carries no information; dividing by its zero deviation would make it infinite.
    std[std < 1e-6] = 1.0
    return replace(preprocess, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
