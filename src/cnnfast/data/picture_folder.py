"""Pictures without labels: one file, or a folder of them at any depth."""

from __future__ import annotations

from pathlib import Path

from cnnfast.data.base import Dataset, DatasetFormat
from cnnfast.data.files import FileSource
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.kinds import picture_suffixes
from cnnfast.images.pictures.skipped import Skipped, no_picture


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
    skipped = Skipped()
    paths = find_pictures([path], skipped)
    if not paths:
        raise no_picture(str(path), skipped)
    return Dataset(f"pictures in {path}", None, None, FileSource(paths), tuple(skipped.lines()))


FORMAT = DatasetFormat("pictures", "a picture, or a folder of pictures", recognize, open_picture_folder)
