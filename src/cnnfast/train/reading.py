"""Data sets, pairs of arrays and the like as examples in memory."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast._bar import advancing
from cnnfast.data import Dataset, relabel
from cnnfast.errors import DataError, InputError, PictureError
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Array
from cnnfast.runtime.arguments import instance
from cnnfast.train.examples import Examples


def load_examples(
    dataset: Dataset, preprocess: Preprocess | None, progress: bool | None = None
) -> tuple[Examples, list[PictureError]]:
    """Read a whole data set into memory, N · H · W · C bytes; pictures that cannot be read are returned separately.

    Parameters
    ----------
    dataset : Dataset
    preprocess : Preprocess or None
        What fits pictures to the network.
    progress : bool, optional
        Whether to show a bar; by default on a terminal and in notebooks.

    Raises
    ------
    DataError
        If it has no labels, or no readable image.
    """
    instance("the first argument", dataset, Dataset, "which cnnfast.open_dataset(path) makes")
    if dataset.labels is None:
        raise DataError(f"{dataset.name}: has no labels to learn from; make a folder of pictures for each class")
    images: list[Array] = []
    labels: list[Array] = []
    failed: list[PictureError] = []
    with advancing(len(dataset), " images", progress, desc="reading") as advance:
        for batch in dataset.batches(256, preprocess):
            assert batch.labels is not None
            images.append(batch.images)
            labels.append(batch.labels)
            failed += batch.failed
            advance(len(batch.images) + len(batch.failed))
    if not sum(map(len, images)):
        raise DataError(f"{dataset.name}: none of its {len(dataset)} pictures can be read; the first: {failed[:1]}")
    found = Examples(np.concatenate(images), np.concatenate(labels), dataset.classes, dataset.name)
    return found, failed


def as_examples(
    data: object,
    name: str,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
    progress: bool | None = None,
) -> Examples:
    """Return examples, a pair (images, labels) as examples, or a data set read into memory.

    Parameters
    ----------
    classes : sequence of str, optional
        Those of the network; the labels of a data set with other names or another order are found among them.
    preprocess : Preprocess, optional
        What fits pictures to the network.
    progress : bool, optional
        As for `load_examples`.

    Raises
    ------
    InputError
        For anything else.
    DataError
        If a data set has no labels, no readable picture, or a class that the network does not know.

    Warns
    -----
    UserWarning
        If pictures of a data set cannot be read.
    """
    if isinstance(data, Examples):
        return data
    if isinstance(data, Dataset):
        return _read(data if classes is None else relabel(data, list(map(str, classes))), preprocess, progress)
    if isinstance(data, tuple | list) and len(data) == 2:
        return Examples(data[0], data[1], None if classes is None else tuple(map(str, classes)), name)
    if isinstance(data, Path | str):
        raise InputError(f"{name}: open the data set first: cnnfast.open_dataset({str(data)!r}, split='train')")
    raise InputError(f"{name}: must be a data set, Examples or a pair (images, labels), but is a {type(data).__name__}")


def _read(dataset: Dataset, preprocess: Preprocess | None, progress: bool | None) -> Examples:
    examples, failed = load_examples(dataset, preprocess, progress)
    if failed:
        warnings.warn(
            f"{dataset.name}: {len(failed)} of {len(dataset)} pictures cannot be read and are left out; the first: "
            f"{failed[0]}. cnnfast.train.load_examples returns them all",
            stacklevel=4,
        )
    return examples
