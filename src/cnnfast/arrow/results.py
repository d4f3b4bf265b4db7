"""The columns of results: labels, probabilities, features and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast._frozen import frozen
from cnnfast.arrow.arrays import binaries, flags, numbers, texts
from cnnfast.errors import InputError
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.arguments import LARGEST

MOST_IN_LISTS = (1 << 31) - 1
"""Numbers in a column of lists: their places in it are of 32 bits."""


@frozen(eq=False)
class ResultColumns:
    """What is computed for each image, and in which columns it is found.

    Attributes
    ----------
    network : Network
    top : int
        Labels of an image, the most probable first.
    probabilities, features : bool
        Whether there are columns of them.
    prefix : str
        Of all names.
    """

    network: Network
    top: int = 1
    probabilities: bool = False
    features: bool = False
    prefix: str = ""

    @property
    def label(self) -> str:
        """The column of the most probable label."""
        return self.prefix + ("label" if self.top == 1 else "label_1")

    @property
    def error(self) -> str:
        """The column of reasons why there is no result."""
        return f"{self.prefix}error"

    @property
    def fields(self) -> list[Any]:
        """The fields of the columns, in order."""
        positions = self.network.answer_shape
        label, number = self._labels.type, pa.float32()
        found = []
        for rank in range(1, self.top + 1):
            end = "" if self.top == 1 else f"_{rank}"
            found += [(f"label{end}", _listed(label, len(positions)))]
            found += [(f"probability{end}", _listed(number, len(positions)))]
        if self.probabilities:
            found += [("probabilities", _listed(number, len(positions) + 1))]
        if self.features:
            found += [("features", pa.list_(number))]
        return [pa.field(self.prefix + name, kind) for name, kind in [*found, ("error", pa.string())]]

    @property
    def _answer(self) -> tuple[int, ...]:
        return (*self.network.answer_shape, len(self.network.classes_))

    def width(self) -> int:
        """Return how many numbers `compute` gives for each image."""
        count = math.prod(self._answer)
        if self.features:
            none = np.zeros((0, *self.network.input_shape), np.float32)
            count += self.network.features(none, layout="nchw").shape[1]
        return count

    def compute(self, pixels: Array, threads: int) -> Array:
        """Return the numbers of each image, (N, width): probabilities, then features."""
        rows = self.network.predict_proba(pixels, layout="nhwc", threads=threads).reshape(len(pixels), -1)
        if not self.features:
            return rows
        return np.concatenate([rows, self.network.features(pixels, layout="nhwc", threads=threads)], axis=1)

    @cached_property
    def _labels(self) -> Any:
        classes = self.network.classes_
        return numbers(classes) if classes.dtype.kind in "iu" else texts(classes.tolist())

    def arrays(self, values: Array, errors: Mapping[int, str]) -> list[Any]:
        """Return the columns.

        Parameters
        ----------
        values : float32 array (N, width)
            What `compute` gives; anything for a row that has an error.
        errors : mapping of int to str
            Of the rows that have one.
        """
        if values.size > MOST_IN_LISTS and (self.probabilities or self.features):
            raise InputError(
                f"a record batch of {len(values)} rows has {values.size} results, but a column of lists holds at most "
                f"{MOST_IN_LISTS}; give smaller record batches"
            )
        bad = np.zeros(len(values), bool)
        bad[list(errors)] = True
        good = values[~bad] if errors else values
        count = math.prod(self._answer)
        answers = good[:, :count].reshape(-1, *self._answer)
        columns = []
        for order in _ranks(answers, self.top):
            labels = self._labels.take(numbers(order.ravel()))
            best = np.take_along_axis(answers, order[..., None], axis=-1)
            columns += [_spread(labels, order.shape[1:], bad), _spread(numbers(best.ravel()), order.shape[1:], bad)]
        if self.probabilities:
            columns.append(_spread(numbers(answers.ravel()), answers.shape[1:], bad))
        if self.features:
            rest = good[:, count:]
            columns.append(_spread(numbers(rest.ravel()), rest.shape[1:], bad))
        return [*columns, _reasons(errors, len(values))]


def _listed(kind: Any, depth: int) -> Any:
    return kind if depth == 0 else pa.list_(_listed(kind, depth - 1))


def _ranks(answers: Array, top: int) -> list[Array]:
    """Return the indices of the most probable classes, rank by rank, the first of equal ones first."""
    if top == 1:
        return [answers.argmax(axis=-1)]
    order = np.argsort(-answers, axis=-1, kind="stable")
    return [order[..., rank] for rank in range(top)]


def _spread(values: Any, positions: tuple[int, ...], bad: Array) -> Any:
    """Return the values of the good rows, in a list for each axis, with nulls between them for the bad rows."""
    good = len(bad) - int(bad.sum())
    for axis in range(len(positions) - 1, 0, -1):
        lists = good * math.prod(positions[:axis])
        offsets = np.arange(lists + 1, dtype=np.int32) * np.int32(positions[axis])
        values = pa.ListArray.from_arrays(numbers(offsets), values)
    if not positions:
        if good == len(bad):
            return values
        # the number of a row among the good ones; LARGEST is never looked at
        places = np.where(bad, LARGEST, np.cumsum(~bad) - 1)
        return values.take(numbers(places, bad))
    lengths = np.where(bad, 0, positions[0])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(numbers(offsets), values, mask=flags(bad))


def _reasons(errors: Mapping[int, str], rows: int) -> Any:
    if not errors:
        return pa.nulls(rows, pa.string())
    # the name of a file in it may not be valid text
    found = {row: error.encode("utf-8", "backslashreplace") for row, error in errors.items()}
    return binaries(map(found.get, range(rows)), pa.string())
