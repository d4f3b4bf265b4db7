"""A folder for each class: the name of a sub-folder is the class of all pictures below it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnfast.data.base import Dataset, DatasetFormat
from cnnfast.data.files import FileSource
from cnnfast.errors import DataError
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.kinds import looks_like_picture, picture_suffixes
from cnnfast.images.pictures.skipped import Skipped, no_picture
from cnnfast.runtime.paths import in_order

SPLITS = {
    "train": ("train", "training", "training_set"),
    "test": ("test", "testing", "test_set", "val", "valid", "validation"),
}
"""Names of sub-folders that hold a split and not a class."""


def recognize(path: Path) -> bool:
    """Return whether a folder holds folders and no pictures directly."""
    if not path.is_dir():
        return False
    suffixes = picture_suffixes()
    files = (p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    return bool(_folders(path)) and not any(
        p.suffix.lower() in suffixes or (not p.suffix and looks_like_picture(p)) for p in files
    )


def open_class_folders(path: Path, split: str) -> Dataset:
    """Open the pictures below each sub-folder; one that holds a split is chosen first.

    Raises
    ------
    DataError
        If there is no picture below any of them.
    """
    root = _split_folder(path, split)
    paths: list[Path] = []
    labels: list[int] = []
    folders, skipped = _folders(root), Skipped()
    skipped.add_others(root)
    for label, folder in enumerate(folders):
        found = find_pictures([folder], skipped)
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise no_picture(str(root), skipped, f" in the folders {', '.join(f.name for f in folders) or '(none)'}")
    classes = tuple(folder.name for folder in folders)
    name, notes = f"folders of pictures in {root}", tuple(skipped.lines())
    return Dataset(name, classes, np.array(labels, np.int64), FileSource(paths), notes)


def _folders(path: Path) -> list[Path]:
    return in_order(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _split_folder(path: Path, split: str) -> Path:
    """Return the sub-folder of a split, or the folder itself where its sub-folders are classes."""
    folders = _folders(path)
    every = {name for names in SPLITS.values() for name in names}
    if not all(folder.name.lower() in every for folder in folders):
        return path
    by_name = {folder.name.lower(): folder for folder in folders}
    chosen = [by_name[name] for name in SPLITS[split] if name in by_name]
    if not chosen:
        raise DataError(f"{path}: has no folder for the split {split!r}, only {', '.join(f.name for f in folders)}")
    return chosen[0]


FORMAT = DatasetFormat("class-folders", "a folder with one folder of pictures a class", recognize, open_class_folders)
