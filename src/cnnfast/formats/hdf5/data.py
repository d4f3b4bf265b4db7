"""The bytes of a file: every place is checked before it is read, and none is read twice where that might never end."""

from __future__ import annotations

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.ops import Array

SIGNATURE = b"\x89HDF\r\n\x1a\n"

NOWHERE = (1 << 64) - 1
"""The address of what is not there."""

EXPANSION = 64
"""How many times their size in the file arrays may take in memory: weights hardly compress, bombs do."""
FLOOR = 1 << 16
"""Bytes that may be read from any file, however small."""
STEPS = 10_000
"""Messages, names and the like that are looked at in any file; beyond that one for each 8 bytes, as none is smaller."""
MAX_NAME = 4096


class Data:
    """The bytes of a file, and what reading it may still take.

    Parameters
    ----------
    content : bytes-like

    Examples
    --------
    >>> Data(bytes([1, 2, 0])).number(1, 2)
    2
    """

    def __init__(self, content: Array | bytes) -> None:
        self._view = memoryview(content).cast("B") if isinstance(content, bytes) else content.data.cast("B")
        self.size = len(self._view)
        self.left = FLOOR + EXPANSION * self.size
        """Bytes that arrays and texts may still take."""
        self._steps = STEPS + self.size // 8

    def take(self, at: int, size: int) -> memoryview:
        """Return bytes.

        Raises
        ------
        ModelFileError
            If they are not within the file.
        """
        if at + size > self.size or size < 0 or at < 0:
            raise ModelFileError(f"{size} bytes should be at byte {at} of HDF5, which has {self.size}")
        return self._view[at : at + size]

    def number(self, at: int, size: int) -> int:
        """Return an integer without sign."""
        return int.from_bytes(self.take(at, size), "little")

    def numbers(self, at: int, count: int, size: int = 8) -> list[int]:
        """Return integers that follow each other."""
        kind = {2: "<u2", 4: "<u4", 8: "<u8"}[size]
        values: list[int] = np.frombuffer(self.take(at, count * size), kind).tolist()
        return values

    def expect(self, at: int, mark: bytes, what: str) -> None:
        """Raise unless a structure begins with its mark."""
        found = self.take(at, len(mark)).tobytes()
        if found != mark:
            raise ModelFileError(f"{what} should be at byte {at} of HDF5, but there is {found!r}")

    def step(self, count: int = 1) -> None:
        """Account for entries that are about to be looked at: those of a file that is whole do not overlap."""
        self._steps -= count
        if self._steps < 0:
            raise ModelFileError(f"HDF5 of {self.size} bytes states more than {STEPS + self.size // 8} entries")

    def text(self, at: int, most: int = MAX_NAME) -> str:
        """Return a text that ends with a byte of 0."""
        piece = self.take(at, min(most, max(self.size - at, 0))).tobytes()
        end = piece.find(b"\0")
        if end < 0:
            raise ModelFileError(f"the name at byte {at} of HDF5 does not end within {most} bytes")
        return piece[:end].decode("utf-8", "replace")

    def spend(self, size: int, what: str, stored: int) -> None:
        """Account for bytes that are about to be taken.

        Raises
        ------
        ModelFileError
            If they are more than `EXPANSION` times as many as are stored for it, or than are left for the file.
        """
        if size > FLOOR + EXPANSION * stored or size > self.left:
            raise ModelFileError(
                f"{what} would take {size} bytes, but has {stored} in the file; at most {EXPANSION} times as many are "
                "allowed"
            )
        self.left -= size


class Once:
    """Places that have been looked at: a structure that leads back to itself ends there."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[int] = set()

    def visit(self, at: int) -> None:
        """Raise at the second visit of a place."""
        if at in self._seen:
            raise ModelFileError(f"{self._what} leads back to byte {at} of HDF5")
        self._seen.add(at)
