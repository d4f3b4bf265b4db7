"""What a data set is, and the list of the kinds that `open_dataset` recognizes.

A kind is one file of this folder: it registers a `DatasetFormat`, and the tests go through all that are registered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, PictureError
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.registry import Registry

Array = np.ndarray[Any, Any]
Labels = npt.NDArray[np.int64]
Positions = npt.NDArray[np.intp]


class Batch(NamedTuple):
    """Some consecutive images of a data set.

    Attributes
    ----------
    images : uint8 array of shape (n, H, W, C)
        Or float32, if the data set holds that.
    labels : int64 array of shape (n,), or None
    names : list of str
        A name for each image: its file, or the file and the position in it.
    failed : list of PictureError
        The images between these that could not be read.
    """

    images: Array
    labels: Labels | None
    names: list[str]
    failed: list[PictureError]


class Piece(NamedTuple):
    """What a `ImageSource` delivers: a batch that knows the positions of its images instead of their labels."""

    images: Array
    positions: Positions
    names: list[str]
    failed: list[PictureError]


class ImageSource(Protocol):
    """Where the images of a data set come from."""

    def __len__(self) -> int: ...

    def read(self, size: int, preprocess: Preprocess | None) -> Iterator[Piece]:
        """Yield all images in order, ``size`` at a time, holding no more than that in memory."""
        ...

    def part(self, positions: Positions) -> ImageSource:
        """Return a source of the images at some positions, which rise."""
        ...


@frozen(eq=False)
class Dataset:
    """Images that are read in batches, with labels if there are any; made by `cnnfast.data.open_dataset`.

    Attributes
    ----------
    name : str
        What it is and where, for people to read.
    classes : tuple of str, or None
        The name of each label.
    labels : int64 array of shape (N,), or None
        For each image the index of its class.
    source : ImageSource
        Where the images come from.
    notes : tuple of str
        What was left out when it was opened, as files that are not pictures; for people to read.
    """

    name: str
    classes: tuple[str, ...] | None
    labels: Labels | None
    source: ImageSource
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, size: int, preprocess: Preprocess | None = None) -> Iterator[Batch]:
        """Read the images in order, in constant memory.

        Parameters
        ----------
        size : int
            Images per batch; the last may be smaller, and so may one in which images could not be read.
        preprocess : Preprocess, optional
            Fit the images to its size and channels. Picture files need it, because their sizes differ.

        Yields
        ------
        Batch

        Raises
        ------
        ConfigError
            If ``size`` is less than 1, or picture files are read without ``preprocess``.
        DataError
            If the data turns out to be damaged.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import numpy as np
        >>> from cnnfast.data import open_dataset
        >>> file = pathlib.Path(tempfile.mkdtemp(), "five.npy")
        >>> np.save(file, np.zeros((5, 8, 8, 3), np.uint8))
        >>> [batch.images.shape for batch in open_dataset(file).batches(2)]
        [(2, 8, 8, 3), (2, 8, 8, 3), (1, 8, 8, 3)]
        """
        if size < 1:
            raise ConfigError(f"a batch needs at least 1 image, but size is {size}")
        return self._batches(size, preprocess)

    def part(self, count: int) -> Dataset:
        """Return some of the images, in order: of each class as many as its share is, but one at least, spread evenly.

        Without labels they are spread evenly over all images. The same count always gives the same images.

        Parameters
        ----------
        count : int
            How many; all of them if there are no more.

        Raises
        ------
        ConfigError
            If ``count`` is less than 1.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from cnnfast.data import open_dataset
        >>> file = pathlib.Path(tempfile.mkdtemp(), "sorted.npz")
        >>> np.savez(file, images=np.zeros((9, 8, 8, 3), np.uint8), labels=[0, 0, 0, 0, 0, 0, 1, 1, 1])
        >>> open_dataset(file).part(3).labels
        array([0, 0, 1])
        """
        if count < 1:
            raise ConfigError(f"a part needs at least 1 image, but count is {count}")
        if count >= len(self):
            return self
        return self._chosen(spread, count)

    def of_each_class(self, count: int) -> Dataset:
        """Return at most that many images of each class, spread evenly; without labels, of all images.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from cnnfast.data import open_dataset
        >>> file = pathlib.Path(tempfile.mkdtemp(), "sorted.npz")
        >>> np.savez(file, images=np.zeros((9, 8, 8, 3), np.uint8), labels=[0, 0, 0, 0, 0, 0, 1, 1, 1])
        >>> open_dataset(file).of_each_class(2).labels
        array([0, 0, 1, 1])
        """
        return self._chosen(of_each_class, count)

    def _chosen(self, choose: Callable[[Labels, int], Positions], count: int) -> Dataset:
        positions = choose(np.zeros(len(self), np.int64) if self.labels is None else self.labels, count)
        chosen = None if self.labels is None else self.labels[positions]
        return dataclasses.replace(self, labels=chosen, source=self.source.part(positions))

    def _batches(self, size: int, preprocess: Preprocess | None) -> Iterator[Batch]:
        for piece in self.source.read(size, preprocess):
            labels = None if self.labels is None else self.labels[piece.positions]
            yield Batch(piece.images, labels, piece.names, piece.failed)


def spread(labels: Labels, count: int) -> Positions:
    """Return ``count`` positions that rise, of each label as many as its share is, but one at least, spread evenly.

    Where there are more labels than positions, the most frequent ones get one each.

    Examples
    --------
    >>> spread(np.repeat([0, 1, 2], [6, 3, 1]), 5)
    array([1, 3, 5, 7, 9])
    """
    _, of, frequency = np.unique(labels, return_inverse=True, return_counts=True)
    share = frequency * (count / len(labels))
    least = 1 if len(frequency) <= count else 0
    quota = np.maximum(share.astype(np.int64), least)
    while quota.sum() > count:
        quota[np.where(quota > least, quota - share, -np.inf).argmax()] -= 1
    while quota.sum() < count:
        quota[np.where(quota < frequency, share - quota, -np.inf).argmax()] += 1
    return _rising(_evenly(np.flatnonzero(of == label), number) for label, number in enumerate(quota.tolist()))


def of_each_class(labels: Labels, count: int) -> Positions:
    """Return positions that rise, at most ``count`` of each label, spread evenly.

    Examples
    --------
    >>> of_each_class(np.repeat([0, 1, 2], [6, 3, 1]), 2)
    array([1, 4, 6, 8, 9])
    """
    places = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return _rising(_evenly(positions, min(count, len(positions))) for positions in places)


def _evenly(positions: Positions, number: int) -> Positions:
    """Return that many of some positions, each from the middle of an equal part of them."""
    return positions[(2 * np.arange(number) + 1) * len(positions) // (2 * max(number, 1))]


def _rising(parts: Iterable[Positions]) -> Positions:
    return np.sort(np.concatenate(list(parts))).astype(np.intp)


@frozen
class DatasetFormat:
    """One kind of data set.

    Attributes
    ----------
    name : str
    looks_like : str
        What the user needs, in a few words; printed where nothing is recognized.
    recognize : callable
        Return from names and first bytes whether a path is of this kind, raising only OSError.
    open : callable
        Open a path of this kind; the second argument is the split, "train" or "test".
    """

    name: str
    looks_like: str
    recognize: Callable[[Path], bool]
    open: Callable[[Path, str], Dataset]


FORMATS: Registry[str, DatasetFormat] = Registry("kinds of data sets")
"""Every kind by its name, filled by `register`; the first that recognizes a path opens it."""


def register(format_: DatasetFormat) -> None:
    """Enter a kind into `FORMATS`."""
    FORMATS.add(format_.name, format_)
