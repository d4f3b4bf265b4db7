"""A small data set of every kind that is registered, written with plain Python, so that no real data is needed.

Every example holds the images of `IMAGES`, or as many of them as its kind can tell apart, in this order.
"""

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 7
IMAGES = np.random.default_rng(7).integers(0, 256, (COUNT, 32, 32, 3), np.uint8)
LABELS = np.array([0, 0, 1, 1, 1, 2, 2])


@dataclass(frozen=True)
class Example:
    """A written data set and what has to come out of it.

    Attributes
    ----------
    path : Path
        What to open.
    files : list of Path
        The files that may be damaged, the one with the images first.
    images : uint8 array of shape (N, H, W, C)
    labels : list of int, or None
    classes : tuple of str, or None
    """

    path: Path
    files: list[Path]
    images: np.ndarray
    labels: list[int] | None
    classes: tuple[str, ...] | None


def cifar10_records(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Write images of shape (N, 32, 32, 3) as the official records."""
    planar = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([labels.astype(np.uint8)[:, None], planar], axis=1).tobytes()


def idx(values: np.ndarray) -> bytes:
    """Write a uint8 array in the idx format."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_cifar10(folder: Path) -> Example:
    file = folder / "test_batch.bin"
    file.write_bytes(cifar10_records(IMAGES, LABELS))
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    return Example(folder, [file], IMAGES, LABELS.tolist(), names)


def write_mnist(folder: Path) -> Example:
    gray = IMAGES[..., 0]
    images, labels = folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"
    images.write_bytes(gzip.compress(idx(gray), mtime=0))
    labels.write_bytes(gzip.compress(idx(LABELS.astype(np.uint8)), mtime=0))
    return Example(folder, [images, labels], gray[..., None], LABELS.tolist(), tuple("0123456789"))


def write_npy(folder: Path) -> Example:
    file = folder / "pets.npz"
    np.savez_compressed(file, images=IMAGES, labels=LABELS, classes=["bird", "cat", "dog"])
    return Example(file, [file], IMAGES, LABELS.tolist(), ("bird", "cat", "dog"))


def write_class_folders(folder: Path) -> Example:
    files = []
    for i, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        files.append(folder / ("bird", "cat", "dog")[label] / f"{i}.png")
        files[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(files[-1])
    return Example(folder, files, IMAGES, LABELS.tolist(), ("bird", "cat", "dog"))


def write_labels(folder: Path) -> Example:
    pictures = write_pictures(folder)
    table = folder / "labels.csv"
    rows = [f"{i}.png,{('bird', 'cat', 'dog')[label]}" for i, label in enumerate(LABELS)]
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    return Example(table, [table, *pictures.files], IMAGES, LABELS.tolist(), ("bird", "cat", "dog"))


def write_pictures(folder: Path) -> Example:
    files = [folder / f"{i}.png" for i in range(COUNT)]
    for file, image in zip(files, IMAGES, strict=True):
        Image.fromarray(image).save(file)
    return Example(folder, files, IMAGES, None, None)


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "cifar10": write_cifar10,
    "mnist": write_mnist,
    "npy": write_npy,
    "labels": write_labels,
    "class-folders": write_class_folders,
    "pictures": write_pictures,
}
"""For each registered kind a function that writes an example into an empty folder."""
