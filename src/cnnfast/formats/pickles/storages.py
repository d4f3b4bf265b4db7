"""The numbers of tensors: in the members of a zip archive, or one after the other behind the pickle."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.inert import Storage, StoredTensor
from cnnfast.formats.tensors import widened
from cnnfast.ops import Array

MAX_OF_NOTHING = 1 << 31
MULTIPLE = 4
SMALL = 1 << 20
"""Tensors may share numbers, and so take more memory than the file has bytes: four times as much and a megabyte."""


class Storages(Protocol):
    """Where the bytes of a storage are."""

    big_endian: bool

    def row(self, storage: Storage) -> Array:
        """Return all bytes under the name of a storage."""
        ...


class Members:
    """Storages as members of a zip archive.

    Parameters
    ----------
    archive : ZipFile
    folder : str
        What precedes the names of its members.
    big_endian : bool
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str, big_endian: bool) -> None:
        self.big_endian = big_endian
        self._archive, self._folder = archive, folder
        self._rows: dict[str, Array] = {}

    def row(self, storage: Storage) -> Array:
        """Return all bytes under the name of a storage."""
        if storage.key not in self._rows:
            name = f"{self._folder}data/{storage.key}"
            try:
                self._rows[storage.key] = np.frombuffer(self._archive.read(name), np.uint8)
            except KeyError:
                raise ModelFileError(f"truncated: its archive lacks {name!r:.200}; get it again") from None
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
                raise ModelFileError(f"{name!r:.200} in its archive is damaged ({error}); get it again") from None
        return self._rows[storage.key]


class Stream:
    """Storages that are behind a pickle, each after the number of its elements.

    Parameters
    ----------
    rows : dict of str to uint8 array
    big_endian : bool
    """

    def __init__(self, rows: dict[str, Array], big_endian: bool) -> None:
        self.big_endian = big_endian
        self._rows = rows

    def row(self, storage: Storage) -> Array:
        """Return all bytes under the name of a storage."""
        if storage.key not in self._rows:
            raise ModelFileError(f"truncated: it lacks the storage {storage.key!r:.80}; get it again")
        return self._rows[storage.key]


def read_tensors(named: Iterable[tuple[str, StoredTensor]], storages: Storages, file_size: int) -> dict[str, Array]:
    """Return tensors as arrays, read-only; tensors that are the same view share one array.

    Raises
    ------
    ModelFileError
        If one reaches past its storage, is of a kind that is not read, or all of them are far larger than the file.
    """
    arrays: dict[str, Array] = {}
    known: dict[tuple[object, ...], Array] = {}
    left = MULTIPLE * file_size + SMALL
    for name, stored in named:
        view = (stored.storage.key, stored.storage.first, stored.kind, stored.offset, stored.shape, stored.strides)
        if view not in known:
            dtype = _checked(name, stored)
            left -= stored.count * max(dtype.itemsize, 4)
            if left < 0:
                raise ModelFileError(
                    f"its tensors up to {name!r:.80} take more than {MULTIPLE} times the {file_size} bytes of the "
                    "file: they share their elements in place of storing them; save tensor.clone() of each"
                )
            known[view] = _array(name, stored, dtype, storages)
        arrays[name] = known[view]
    return arrays


def _checked(name: str, stored: StoredTensor) -> np.dtype[Any]:
    place = f"the tensor {name!r:.80} of shape {stored.shape}"
    if stored.dtype is None:
        raise ModelFileError(
            f"{place} is of the kind {stored.kind:.80}, which cnnfast does not compute with; only plain ones are read: "
            "save tensor.float(), and of a quantized one tensor.dequantize()"
        )
    if stored.count > stored.storage.count:
        raise ModelFileError(f"{place} repeats its elements in place of storing; save tensor.clone()")
    return stored.dtype


def _array(name: str, stored: StoredTensor, dtype: np.dtype[Any], storages: Storages) -> Array:
    if not stored.count:
        return _empty(name, stored, dtype)
    row = storages.row(stored.storage)
    unit = 1 if stored.storage.dtype is None else stored.storage.dtype.itemsize
    begin, end = stored.storage.first * unit, (stored.storage.first + stored.storage.count) * unit
    needed = begin + stored.end * dtype.itemsize
    if end > len(row) or needed > end:
        raise ModelFileError(
            f"the tensor {name!r:.80} of shape {stored.shape} ends at byte {needed} of the storage "
            f"{stored.storage.key!r:.80}, which ends at {min(end, len(row))}; get it again"
        )
    whole = row[begin : begin + (len(row) - begin) // dtype.itemsize * dtype.itemsize]
    numbers = whole.view(dtype.newbyteorder(">" if storages.big_endian else "<"))[stored.offset :]
    steps = tuple(step * dtype.itemsize for step in stored.strides)
    view = np.lib.stride_tricks.as_strided(numbers, stored.shape, steps, writeable=False)
    array: Array = np.asarray(widened(view.astype(dtype, copy=False)), order="C")
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array


def _empty(name: str, stored: StoredTensor, dtype: np.dtype[Any]) -> Array:
    if math.prod(size for size in stored.shape if size) > MAX_OF_NOTHING:
        raise ModelFileError(
            f"the tensor {name!r:.80} of shape {stored.shape} has no elements, but sizes that are too large"
        )
    array = widened(np.zeros(stored.shape, dtype))
    array.flags.writeable = False
    return array
