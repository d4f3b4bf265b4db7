"""How much memory and work a reader may take beyond the file itself: asked before anything is made.

A few hundred bytes can ask for gigabytes, by growing constants or by sharing one a thousand times. What counts are the
buffers that reading makes; an array that is only another view of one is free.
"""

from __future__ import annotations

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array
from cnnfast.runtime.config import max_bytes

MAX_WORK = 1 << 28
"""Elements that may be looked at while constants are computed, beyond eight times those of the file."""


class ReadBudget:
    """What may still be taken.

    Parameters
    ----------
    file_bytes : int
        The size of the file, with the weights that are in other files.
    most : int, optional
        Bytes beyond that; by default ``CNNFAST_MAX_BYTES``, or 1 GiB.

    Examples
    --------
    >>> budget = ReadBudget(100, most=1000)
    >>> budget.ask(1100, "a constant")
    >>> budget.ask(1101, "a constant")
    Traceback (most recent call last):
    cnnfast.errors.UnsupportedError: a constant would take 1101 bytes; 1100 are left of what reading ...
    """

    def __init__(self, file_bytes: int, most: int | None = None) -> None:
        self.most = max_bytes() if most is None else most
        self.left = self.most + file_bytes
        self.work = MAX_WORK + 8 * file_bytes
        self._counted: dict[int, Array] = {}

    def ask(self, count: int, what: str) -> None:
        """Raise `UnsupportedError` if that many bytes are not left."""
        if count > self.left:
            raise UnsupportedError(
                f"{what} would take {count} bytes; {self.left} are left of what reading may take, the file's size and "
                f"{self.most}. Set CNNFAST_MAX_BYTES to allow more"
            )

    def spend(self, count: int, what: str) -> None:
        """Take bytes off; raise `UnsupportedError` if that many are not left."""
        self.ask(count, what)
        self.left -= count

    def ask_work(self, count: int, what: str) -> None:
        """Take work off; raise `UnsupportedError` if that much is not left."""
        if count > self.work:
            raise UnsupportedError(f"{what} would be computed from {count} elements; {self.work} are left")
        self.work -= count

    def take(self, array: Array, what: str) -> None:
        """Count the buffer of an array, unless it has been counted before."""
        owner = _owner(array)
        if id(owner) not in self._counted:
            self.spend(owner.nbytes, what)
            self._counted[id(owner)] = owner

    def give(self, array: Array) -> None:
        """Note the buffer of an array that is a part of the file."""
        self._counted[id(_owner(array))] = _owner(array)


def _owner(array: Array) -> Array:
    """Return the array that owns the memory of another one."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
