"""CIFAR-10 records out of the lossless pictures of the shared data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def records(shared_data: Path, numbers: list[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return training records, counted over the five batches, as (N, 32, 32, 3)."""
    images = np.empty((len(numbers), 32, 32, 3), np.uint8)
    for batch in sorted({number // 10_000 for number in numbers}):
        tiles = tiles_of(shared_data, f"data_batch_{batch + 1}")
        for position, number in enumerate(numbers):
            if number // 10_000 == batch:
                images[position] = tiles[number % 10_000]
    return images


def tiles_of(shared_data: Path, batch: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return one batch as (10000, 32, 32, 3)."""
    with Image.open(shared_data / "cifar10" / f"{batch}.webp") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return pixels.reshape(100, 32, 100, 32, 3).swapaxes(1, 2).reshape(10_000, 32, 32, 3)


def substituted(shared_data: Path) -> set[int]:
    """Return the training records whose pixels are approximations of the originals."""
    lines = (shared_data / "cifar10" / "SUBSTITUTED.txt").read_text().splitlines()
    fields = [line.split() for line in lines if line.startswith("data_batch_")]
    return {(int(name[11]) - 1) * 10_000 + int(record) for name, record, _ in fields}
