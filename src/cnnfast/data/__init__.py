"""Data sets: recognized by what they are, read in batches, in constant memory.

======================  ==========================================================================================
`base`                  `Dataset`, `Batch`, and the list of kinds
`arrays`, `files`       the two sources of images: an array in a file, or one file per image
`cifar10`, `idx`, …      one file per kind; to add one, write such a file and register it here
`labels`                finding a data set's classes among the network's
`download`              fetching CIFAR-10 and MNIST from their homes
======================  ==========================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cnnfast.data import cifar10, class_folders, idx, labels_file, npy, picture_folder
from cnnfast.data.base import FORMATS, Batch, Dataset, register
from cnnfast.data.labels import find_class, match_class, relabel
from cnnfast.errors import ConfigError, DataError
from cnnfast.runtime import arguments
from cnnfast.runtime.arguments import one_of, path_of

__all__ = ["FORMATS", "SPLITS", "Batch", "Dataset", "find_class", "match_class", "open_dataset", "relabel"]

SPLITS = ("train", "test")

# In the order in which they are tried: strict before lenient.
for _kind in (cifar10, idx, npy, labels_file, class_folders, picture_folder):
    register(_kind.FORMAT)


def open_dataset(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    split: str = "test",
    columns: Sequence[str] | None = None,
) -> Dataset:
    """Open a data set of any kind in `FORMATS`, recognized by what is at ``path``.

    Parameters
    ----------
    path : path
        A file or a folder.
    classes : sequence of str, optional
        The network's classes: the labels become indices into them, found by name (`match_class`).
    split : {"test", "train"}
        Which part of a folder that has both, or of a table with a column ``split``; other files are taken whole.
    columns : (str, str), optional
        The column of paths and that of labels of a table (CSV, Parquet), where they have unusual names.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, its kind is not known, it is damaged, or its classes are not the network's.
    ConfigError
        For another split, or columns of what is not a table.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.npz")
    >>> np.savez(file, images=np.zeros((2, 8, 8, 3), np.uint8), labels=[1, 0], classes=["dogs", "cats"])
    >>> dataset = open_dataset(file, classes=["bird", "cat", "dog"])
    >>> len(dataset), dataset.labels
    (2, array([1, 2]))
    """
    path = path_of("the data set", path)
    one_of("split", split, SPLITS)
    classes = arguments.labels("classes", classes)
    if not os.path.exists(path):  # a Path raises where a name is too long
        raise DataError(f"{path}: no such file or folder; `cnnfast download cifar10` fetches one")
    if not (path.is_file() or path.is_dir()):
        # opening a pipe or a device could block
        raise DataError(f"{path}: is neither a file nor a folder; a data set must be one of them")
    try:
        format_ = next((f for f in FORMATS.values() if f.recognize(path)), None)
        if format_ is None:
            kinds = "; ".join(f.looks_like for f in FORMATS.values())
            raise DataError(f"{path}: is not a data set of a known kind; known are: {kinds}")
        if columns is None:
            dataset = format_.open(path, split)
        elif format_ is labels_file.FORMAT:
            dataset = labels_file.open_labels(path, split, columns)
        else:
            raise ConfigError(f"{path}: columns belong to a table ({format_.looks_like} has none)")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error
    return dataset if classes is None else relabel(dataset, classes)
