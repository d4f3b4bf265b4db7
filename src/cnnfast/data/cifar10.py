"""CIFAR-10 in its official binary form: records of one label byte and 3,072 bytes, planar red, green, blue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnfast.data.arrays import ArraySource
from cnnfast.data.base import Array, Dataset, DatasetFormat
from cnnfast.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-bin"
FILES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE

Records = npt.NDArray[np.uint8]


def recognize(path: Path) -> bool:
    """Return whether a path is a ``.bin`` file, or a folder with one of the official files."""
    if path.is_file():
        return path.suffix.lower() == ".bin"
    folder = _folder(path)
    return any((folder / name).exists() for name in itertools.chain(*FILES.values()))


def open_cifar10(path: Path, split: str) -> Dataset:
    """Open one file, or the files of a split in a folder; the records stay on disk.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    files = [path] if path.is_file() else [_folder(path) / name for name in FILES[split]]
    batches = [_map_records(file) for file in files]
    starts = np.cumsum([0, *map(len, batches)])

    def name_of(position: int) -> str:
        file = int(np.searchsorted(starts, position, side="right")) - 1
        return f"{files[file].name}[{position - starts[file]}]"

    source = ArraySource(int(starts[-1]), name_of, lambda size: _chunks(batches, size))
    labels = np.concatenate([batch[:, 0] for batch in batches]).astype(np.int64)
    return Dataset(f"CIFAR-10 in {path}", _classes(files[0].parent), labels, source)


def _folder(path: Path) -> Path:
    inner = path / FOLDER
    return inner if inner.is_dir() else path


def _map_records(file: Path) -> Records:
    if not file.is_file():
        raise DataError(f"{file}: is missing; a split needs all of its files, name a single file to take only that")
    size = file.stat().st_size
    if size == 0 or size % RECORD:
        raise DataError(
            f"{file}: has {size} bytes, but CIFAR-10 comes in records of {RECORD}; {size % RECORD} are left over, "
            f"so the file is truncated or something else"
        )
    records = np.memmap(file, np.uint8, "r", shape=(size // RECORD, RECORD))
    wrong = np.flatnonzero(records[:, 0] >= len(CLASSES))
    if wrong.size:
        raise DataError(
            f"{file}: record {wrong[0]} (byte {wrong[0] * RECORD}) has the label {records[wrong[0], 0]}, "
            f"but labels are 0 to {len(CLASSES) - 1}; the file is damaged or not CIFAR-10"
        )
    return records


def _chunks(batches: list[Records], size: int) -> Iterator[Array]:
    """Yield images of shape (n, H, W, C), filling a chunk from the next file where one ends."""
    held: list[Records] = []
    missing = size
    for batch in batches:
        start = 0
        while start < len(batch):
            part = batch[start : start + missing]
            held.append(part)
            start, missing = start + len(part), missing - len(part)
            if missing == 0:
                yield _images(held)
                held, missing = [], size
    if held:
        yield _images(held)


def _images(parts: list[Records]) -> Array:
    pixels = np.concatenate([part[:, 1:] for part in parts])
    return np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _classes(folder: Path) -> tuple[str, ...]:
    """Return the names from ``batches.meta.txt``, or the well-known ones where that file is absent."""
    meta = folder / "batches.meta.txt"
    if not meta.is_file():
        return CLASSES
    names = tuple(meta.read_text("utf-8", errors="replace")[:10_000].split())
    if len(names) != len(CLASSES):
        raise DataError(f"{meta}: names {len(names)} classes, but CIFAR-10 has {len(CLASSES)}; delete or repair it")
    return names


FORMAT = DatasetFormat(
    "cifar10",
    f"CIFAR-10 binary: a .bin file, or a folder with data_batch_1.bin or {FOLDER}",
    recognize,
    open_cifar10,
)
