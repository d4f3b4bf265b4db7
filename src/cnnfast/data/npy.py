"""Images saved by NumPy, in ``.npy`` or ``.npz`` files; nothing in them is executed, because pickles are refused."""

from __future__ import annotations

import math
import tokenize
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.data.arrays import MAX_DEFLATE_RATIO, MAX_IMAGES, ArraySource, naming, read_exactly
from cnnfast.data.base import Array, Dataset, DatasetFormat, Labels
from cnnfast.errors import DataError

IMAGES_KEYS = ("images", "x", "x_{split}", "data", "arr_0")
LABELS_KEYS = ("labels", "y", "y_{split}", "targets", "arr_1")
CLASSES_KEYS = ("classes", "class_names")
"""Names of the arrays in an ``.npz``, in the order in which they are looked for."""

MAX_CLASSES = 1 << 16
MAX_NAMES_BYTES = 1 << 26

ENCRYPTED = 0x1


@frozen
class StoredArray:
    """An array in a file: ``member`` of an npz, or the whole npy if that is None."""

    file: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return str(self.file) if self.member is None else f"{self.file} ({self.member})"


def recognize(path: Path) -> bool:
    """Return whether a path is a ``.npy`` or ``.npz`` file."""
    return path.is_file() and path.suffix.lower() in (".npy", ".npz")


def open_npy(path: Path, split: str) -> Dataset:
    """Open images of shape (N, H, W) or (N, H, W, C), with labels and classes where the file has them.

    Labels are the array ``labels`` of an npz, and for ``images.npy`` the file ``labels.npy`` next to it.

    Raises
    ------
    DataError
        If the file is damaged, or its arrays have another dtype or shape.
    """
    images, labels, classes = _members(path, split) if path.suffix.lower() == ".npz" else _beside(path)
    _check_images(images)
    names = None if classes is None else _load_classes(classes)
    source = ArraySource(images.shape[0], lambda i: f"{path.name}[{i}]", lambda size: _chunks(images, size))
    return Dataset(f"images in {path}", names, _load_labels(labels, images, names), source)


def _beside(path: Path) -> tuple[StoredArray, StoredArray | None, StoredArray | None]:
    labels = path.with_name(path.name.replace("images", "labels"))
    found = labels != path and labels.is_file()
    return _header(path, None), _header(labels, None) if found else None, None


def _members(path: Path, split: str) -> tuple[StoredArray, StoredArray | None, StoredArray | None]:
    with naming(path), zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy") for name in archive.namelist()}

    def find(keys: tuple[str, ...]) -> StoredArray | None:
        wanted = (key.format(split=split) for key in keys)
        key = next((k for k in wanted if k in members), None)
        return None if key is None else _header(path, f"{key}.npy")

    images = find(IMAGES_KEYS)
    if images is None:
        keys = ", ".join(key.format(split=split) for key in IMAGES_KEYS)
        raise DataError(f"{path}: has no images; it holds {sorted(members)}, but they are looked for as {keys}")
    return images, find(LABELS_KEYS), find(CLASSES_KEYS)


@contextmanager
def _open(file: Path, member: str | None) -> Iterator[tuple[IO[bytes], int]]:
    """Open the bytes of an npy, and return how many there are."""
    if member is None:
        with open(file, "rb") as stream:
            yield stream, file.stat().st_size
    else:
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo(member)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("compressed by a method that NumPy does not write")
            if info.flag_bits & ENCRYPTED or info.file_size > info.compress_size * MAX_DEFLATE_RATIO:
                raise ValueError(f"{info.compress_size} compressed bytes cannot hold {info.file_size}")
            with archive.open(info) as inside:
                yield inside, info.file_size


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"npy version {version} is not one of {sorted(read)}")
    try:
        return read[version](stream)
    except (tokenize.TokenError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"its header is not one of npy: {error}") from error


def _header(file: Path, member: str | None) -> StoredArray:
    """Read the header of an array and check what it promises against the size of the file."""
    with naming(f"{file}{f' ({member})' if member else ''}"), _open(file, member) as (stream, size):
        shape, fortran, dtype = _read_header(stream)
        stored = StoredArray(file, member, shape, dtype)
        if dtype.hasobject:
            raise DataError(f"{stored}: holds Python objects, which are never loaded; save plain numbers")
        if fortran and len(shape) > 1:
            raise DataError(f"{stored}: is in Fortran order; save np.ascontiguousarray(array) instead")
        promised = stream.tell() + math.prod(shape) * dtype.itemsize
        if promised != size or min(shape, default=0) < 0:
            raise DataError(f"{stored}: its header promises {promised} bytes for {dtype} {shape}, but there are {size}")
        return stored


def _check_images(images: StoredArray) -> None:
    if images.dtype.newbyteorder("=") not in (np.uint8, np.float32):
        raise DataError(f"{images}: images must be uint8 or float32, but are {images.dtype}")
    shape = images.shape
    if len(shape) not in (3, 4) or 0 in shape or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
        raise DataError(
            f"{images}: images must be (N, H, W), or (N, H, W, C) with C of 1, 3 or 4, but are {shape}; "
            f"channels come last"
        )
    if images.member is not None and shape[0] > MAX_IMAGES:
        raise DataError(
            f"{images}: promises {shape[0]} images, but an npz may hold at most {MAX_IMAGES}; use .npy files"
        )


def _chunks(images: StoredArray, size: int) -> Iterator[Array]:
    shape = images.shape[1:] if len(images.shape) == 4 else (*images.shape[1:], 1)
    each = math.prod(shape) * images.dtype.itemsize
    with naming(images), _open(images.file, images.member) as (stream, _):
        _read_header(stream)
        for start in range(0, images.shape[0], size):
            count = min(size, images.shape[0] - start)
            content = read_exactly(stream, count * each)
            if len(content) != count * each:
                raise DataError(f"{images}: ends in image {start + len(content) // each} of {images.shape[0]}")
            native = images.dtype.newbyteorder("=")
            yield np.frombuffer(content, images.dtype).astype(native, copy=False).reshape(count, *shape)


def _load(stored: StoredArray) -> Array:
    with naming(stored), _open(stored.file, stored.member) as (stream, _):
        return np.lib.format.read_array(stream, allow_pickle=False)


def _load_labels(labels: StoredArray | None, images: StoredArray, classes: tuple[str, ...] | None) -> Labels | None:
    if labels is None:
        return None
    count = images.shape[0]
    if labels.dtype.kind not in "iu" or labels.shape not in ((count,), (count, 1)):
        raise DataError(
            f"{labels}: labels must be {count} integers, one an image, but are {labels.dtype} {labels.shape}"
        )
    values = _load(labels).reshape(-1).astype(np.int64)
    most = MAX_CLASSES if classes is None else len(classes)
    wrong = np.flatnonzero((values < 0) | (values >= most))
    if wrong.size:
        raise DataError(f"{labels}: label {wrong[0]} is {values[wrong[0]]}, but labels are 0 to {most - 1}")
    return values


def _load_classes(classes: StoredArray) -> tuple[str, ...]:
    plausible = len(classes.shape) == 1 and 0 < classes.shape[0] <= MAX_CLASSES
    if classes.dtype.kind != "U" or not plausible or classes.dtype.itemsize * classes.shape[0] > MAX_NAMES_BYTES:
        raise DataError(f"{classes}: classes must be strings in one dimension, but are {classes.dtype} {classes.shape}")
    return tuple(map(str, _load(classes)))


FORMAT = DatasetFormat("npy", "NumPy: images.npy, or an .npz with images and labels", recognize, open_npy)
