"""What stands for an object of a pickle, and does nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Shape


@frozen
class Global:
    """The name of a class or function; nothing is imported."""

    name: str


class Record:
    """An object that is not made: only what the pickle calls it is kept, not what is in it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@frozen
class Storage:
    """A row of numbers of the file.

    Attributes
    ----------
    key : str
        Its name in the container.
    dtype : dtype or None
        None for a kind that is not read, such as complex or quantized numbers, or single bytes without a type.
    kind : str
        What PyTorch calls it.
    count : int
        Its elements.
    first : int
        The element of the row under that name at which it begins.
    """

    key: str
    dtype: np.dtype[Any] | None
    kind: str
    count: int
    first: int = 0


@frozen
class StoredTensor:
    """A tensor: a view of a storage.

    Attributes
    ----------
    storage : Storage
    dtype : dtype or None
        As that of a storage.
    kind : str
        What PyTorch calls its numbers.
    offset : int
        In elements.
    shape, strides : tuple of int
        In elements.
    """

    storage: Storage
    dtype: np.dtype[Any] | None
    kind: str
    offset: int
    shape: Shape
    strides: Shape

    @property
    def count(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """The element of the storage behind the last one that it reads."""
        if not self.count:
            return 0
        return self.offset + 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
