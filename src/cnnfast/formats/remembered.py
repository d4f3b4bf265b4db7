"""What a network remembers of the pictures that it has learned from: their features and classes, in its model file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError, ModelFileError
from cnnfast.ops import Array

FEATURES, NUMBERS = "remembered.features", "remembered.classes"
"""The tensors of a model file; no constant of a graph has these names there."""


@frozen(eq=False)
class Remembered:
    """Features of pictures that a network has learned from, and what they show.

    Attributes
    ----------
    features : float16 array (M, F)
        What the last dense layer of the network reads.
    numbers : int32 array (M,)
        The number of each picture's class.

    Raises
    ------
    GraphError
        If an array is of another type or shape, or there is no picture.

    Examples
    --------
    >>> len(Remembered(np.zeros((3, 64), np.float16), np.array([0, 1, 1], np.int32)))
    3
    """

    features: Array
    numbers: Array

    def __post_init__(self) -> None:
        features, numbers = self.features, self.numbers
        if features.dtype != np.float16 or features.ndim != 2:
            raise GraphError(f"{FEATURES} must be float16 (M, F), but is {features.dtype} of shape {features.shape}")
        if numbers.dtype != np.int32 or numbers.shape != features.shape[:1]:
            raise GraphError(
                f"{NUMBERS} must be int32 of shape {features.shape[:1]}, one for each row of {FEATURES}, but is "
                f"{numbers.dtype} of shape {numbers.shape}"
            )
        if not len(numbers):
            raise GraphError(f"{FEATURES} must have a row at least, but is of shape {features.shape}")

    def __len__(self) -> int:
        return len(self.numbers)

    def __str__(self) -> str:
        counts = np.unique(self.numbers, return_counts=True)[1]
        size = self.features.nbytes + self.numbers.nbytes
        return f"features of {len(self):,} pictures, at most {counts.max():,} of a class ({size:,} bytes)"

    def check(self, features: tuple[int, ...], classes: int) -> None:
        """Raise `GraphError` unless this belongs to a network with features of this shape and that many classes."""
        if features != self.features.shape[1:]:
            raise GraphError(
                f"{FEATURES} has rows of {self.features.shape[1]} numbers, but the last dense layer reads the shape "
                f"{features}"
            )
        least, most = int(self.numbers.min()), int(self.numbers.max())
        if least < 0 or most >= classes:
            raise GraphError(f"{NUMBERS} has numbers from {least} to {most}, but there are {classes} classes")


def tensors_of(remembered: Remembered | None) -> dict[str, Array]:
    """Return what a model file holds of it."""
    return {} if remembered is None else {FEATURES: remembered.features, NUMBERS: remembered.numbers}


def taken_from(arrays: Mapping[str, Array]) -> tuple[Remembered | None, dict[str, Array]]:
    """Return what the tensors of a model file remember, and the other tensors.

    Raises
    ------
    ModelFileError, GraphError
        If one of the two tensors is missing, or not what it must be.
    """
    others = {name: array for name, array in arrays.items() if name not in (FEATURES, NUMBERS)}
    found = [name for name in (FEATURES, NUMBERS) if name in arrays]
    if len(found) == 1:
        raise ModelFileError(f"it has the tensor {found[0]!r} alone; {FEATURES!r} and {NUMBERS!r} belong together")
    return (Remembered(arrays[FEATURES], arrays[NUMBERS]) if found else None), others
