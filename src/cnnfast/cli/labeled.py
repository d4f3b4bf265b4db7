"""Labeled images of a command, with the scores that a network gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.calibration.api import scores_of
from cnnfast.calibration.scores import Ending
from cnnfast.cli.models import class_names, preprocess_of
from cnnfast.cli.progress import Failures, Progress
from cnnfast.data import Dataset, open_dataset
from cnnfast.errors import DataError
from cnnfast.network.network import Network
from cnnfast.ops import Array


def open_labeled(net: Network, data: str, split: str, columns: Sequence[str] | None = None) -> Dataset:
    """Open a data set whose labels are compared with the answers of a network.

    Raises
    ------
    DataError
        If it has no labels, or one that is not a class of the network.
    """
    names = class_names(net)
    dataset = open_dataset(data, names if net.classes_.dtype.kind == "U" else None, split, columns)
    if dataset.labels is None:
        raise DataError(f"{dataset.name}: has no labels to compare with; `cnnfast classify` needs none")
    if int(dataset.labels.max(initial=0)) >= len(names):
        raise DataError(f"{dataset.name}: has the label {dataset.labels.max()}, but the network {len(names)} classes")
    return dataset


def read_scores(net: Network, model: str, ending: Ending, dataset: Dataset, failures: Failures) -> tuple[Array, Array]:
    """Return the scores of all images, float64 (N, K), and the numbers of their classes.

    Raises
    ------
    DataError
        If none of the images can be read.
    """
    scores, labels = [], []
    with Progress(len(dataset)) as progress:
        for batch in dataset.batches(256, preprocess_of(net, model)):
            for error in batch.failed:
                failures.add_error(error)
            progress.advance(len(batch.names) + len(batch.failed))
            if len(batch.images) and batch.labels is not None:
                scores.append(scores_of(net, ending, batch.images, "nhwc"))
                labels.append(batch.labels)
    if not scores:
        raise DataError(f"{dataset.name}: none of its images can be read")
    return np.concatenate(scores), np.concatenate(labels)
