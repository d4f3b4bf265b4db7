"""MNIST and its relatives: idx files, gzipped or not, images and labels in two files that are named alike."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from cnnfast.data.arrays import MAX_DEFLATE_RATIO, MAX_IMAGES, ArraySource, naming, read_exactly
from cnnfast.data.base import Array, Dataset, DatasetFormat, Labels
from cnnfast.errors import DataError
from cnnfast.runtime.paths import in_order

UINT8 = 0x08
GZIP_MAGIC = b"\x1f\x8b"
SPLITS = {"train": "train", "test": "t10k|test"}


def recognize(path: Path) -> bool:
    """Return whether a file has the magic number or the name of an idx file, or a folder holds such images."""
    if path.is_dir():
        return any(_find(path, split) for split in SPLITS)
    if re.search(r"idx\d-ubyte(\.gz)?$", path.name):
        return True
    try:
        with _open(path) as stream:
            magic = stream.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:3] == bytes([0, 0, UINT8]) and magic[3] in (1, 3)


def open_idx(path: Path, split: str) -> Dataset:
    """Open a file of images, with the labels next to it if there are any, or a split in a folder.

    Raises
    ------
    DataError
        If a file is missing or damaged, or the labels do not fit the images.
    """
    file = _find(path, split) if path.is_dir() else path
    if file is None:
        raise DataError(f"{path}: has no images of the split {split!r}; they are named {split}-images-idx3-ubyte(.gz)")
    count, height, width = _shape(file, 3, "images")
    labels_file = _labels_beside(file)
    labels = None if labels_file is None else _labels(labels_file, count, file)

    def chunks(size: int) -> Iterator[Array]:
        return _chunks(file, (count, height, width), size)

    classes = None if labels is None else tuple(map(str, range(max(10, int(labels.max()) + 1))))
    return Dataset(f"idx images in {file}", classes, labels, ArraySource(count, lambda i: f"{file.name}[{i}]", chunks))


def _find(folder: Path, split: str) -> Path | None:
    pattern = re.compile(rf"({SPLITS[split]})-images[.-]idx3-ubyte(\.gz)?")
    return next((p for p in in_order(folder.iterdir()) if pattern.fullmatch(p.name) and p.is_file()), None)


def _labels_beside(images: Path) -> Path | None:
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    candidates = [images.with_name(name), images.with_name(name + ".gz")]
    return next((p for p in candidates if p.is_file() and p != images), None)


def _open(file: Path) -> IO[bytes]:
    with open(file, "rb") as stream:
        zipped = stream.read(2) == GZIP_MAGIC
    return cast(IO[bytes], gzip.open(file, "rb")) if zipped else open(file, "rb")


def _shape(file: Path, rank: int, what: str) -> tuple[int, ...]:
    """Read the header and check what it promises against the size of the file."""
    with naming(file), _open(file) as stream:
        header = read_exactly(stream, 4 + 4 * rank)
        zipped = isinstance(stream, gzip.GzipFile)
    if header[:4] != bytes([0, 0, UINT8, rank]):
        raise DataError(f"{file}: starts with {header[:4].hex(' ')}, but idx {what} start with 00 00 08 {rank:02x}")
    if len(header) < 4 + 4 * rank:
        raise DataError(f"{file}: ends inside its header of {4 + 4 * rank} bytes; the file is truncated")
    shape = struct.unpack(f">{rank}I", header[4:])
    promised, size = len(header) + math.prod(shape), file.stat().st_size
    possible = promised <= size * MAX_DEFLATE_RATIO if zipped else promised == size
    if 0 in shape or shape[0] > MAX_IMAGES or not possible:
        raise DataError(
            f"{file}: its header promises {' x '.join(map(str, shape))} bytes of {what}, which does not fit a file of "
            f"{size} bytes{' (gzip)' if zipped else ''}; the file is truncated or damaged"
        )
    return shape


def _chunks(file: Path, shape: tuple[int, int, int], size: int) -> Iterator[Array]:
    count, height, width = shape
    with naming(file), _open(file) as stream:
        read_exactly(stream, 16)
        for start in range(0, count, size):
            n = min(size, count - start)
            pixels = read_exactly(stream, n * height * width)
            if len(pixels) < n * height * width:
                raise DataError(
                    f"{file}: ends in image {start + len(pixels) // (height * width)} of {count}; truncated"
                )
            if start + n == count:
                _check_end(file, stream)
            yield np.frombuffer(pixels, np.uint8).reshape(n, height, width, 1)


def _labels(file: Path, count: int, images: Path) -> Labels:
    (labels_count,) = _shape(file, 1, "labels")
    if labels_count != count:
        raise DataError(f"{file}: holds {labels_count} labels, but {images.name} holds {count} images")
    with naming(file), _open(file) as stream:
        read_exactly(stream, 8)
        values = read_exactly(stream, count)
        if len(values) < count:
            raise DataError(f"{file}: ends at label {len(values)} of {count}; the file is truncated")
        _check_end(file, stream)
    return np.frombuffer(values, np.uint8).astype(np.int64)


def _check_end(file: Path, stream: IO[bytes]) -> None:
    # Reading past the last byte also makes gzip compare its checksum.
    if stream.read(1):
        raise DataError(f"{file}: holds more data than its header states; the file is damaged")


FORMAT = DatasetFormat(
    "mnist", "MNIST: an idx file (.gz too), or a folder with t10k-images-idx3-ubyte.gz", recognize, open_idx
)
