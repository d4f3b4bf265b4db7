"""Pictures without labels: one file, or a folder of them at any depth."""

from __future__ import annotations

from pathlib import Path

from cnnfast.data.base import Dataset, DatasetFormat
from cnnfast.data.files import FileSource
from cnnfast.errors import DataError
from cnnfast.images.pictures.files import find_pictures, picture_suffixes


def recognize(path: Path) -> bool:
    """Return whether a path is a folder, or a file with a suffix of a picture format."""
    return path.is_dir() or path.suffix.lower() in picture_suffixes()


def open_picture_folder(path: Path, split: str) -> Dataset:
    """Open the pictures that `cnnfast.images.pictures.files.find_pictures` finds; there are no splits.

    Raises
    ------
    DataError
        If there is none.
    """
    paths = find_pictures([path])
    if not paths:
        raise DataError(f"{path}: holds no picture; known suffixes: {' '.join(sorted(picture_suffixes()))}")
    return Dataset(f"pictures in {path}", None, None, FileSource(paths))


FORMAT = DatasetFormat("pictures", "a picture, or a folder of pictures", recognize, open_picture_folder)
