"""The paths of the command line become images, one after the other, in constant memory."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.cli.table_files import is_table
from cnnfast.data import FORMATS, Dataset, open_dataset
from cnnfast.errors import DataError, PictureError
from cnnfast.formats.model_format import FORMATS as MODEL_FORMATS
from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.pictures.files import Found, iter_pictures
from cnnfast.images.pictures.kinds import VIDEO_SUFFIXES, picture_suffixes
from cnnfast.images.pictures.skipped import Skipped
from cnnfast.images.pictures.video import frame_name, frame_times, frames
from cnnfast.images.preprocess import Array, Preprocess
from cnnfast.network.stream import Answer, Opened, decode, path_of_item
from cnnfast.runtime.shipped import list_models

ARRAY_KINDS = ("cifar10", "mnist", "npy")
"""Data sets whose images are not picture files; anything else that a path names is read as pictures."""

PICTURES = "pictures, folders of pictures, or data sets"

CHUNK = 256


class Item(NamedTuple):
    """One image.

    Attributes
    ----------
    name : str
        The path of its file, or the path of its data set with its number in brackets.
    pixels : array of shape (H, W, C), error, or None
        Fitted to the network, or why there are none; None for a file, which is read by `load`.
    picture : Path or array
        What people look at: the file, or the image as the data set has it.
    below : Path
        Where a copy of it goes: the place of the file below the path that was named, or the name of the image.
    seconds : float, optional
        Of the frame of a video, since its beginning.
    """

    name: str
    pixels: Answer | None
    picture: Path | Array
    below: Path
    seconds: float | None = None

    @property
    def path(self) -> str | None:
        """The path of a file, where there is something to read."""
        return path_of_item(self.picture) if self.pixels is None else None

    def load(self, preprocess: Preprocess, opened: Opened | None = None) -> Answer:
        """Return the image, or why there is nothing to see; `opened` gives the open file of the path."""
        return decode(self.picture, preprocess, opened) if self.pixels is None else self.pixels


class Inputs(Protocol):
    """Some of the images."""

    def __len__(self) -> int: ...

    def count(self) -> int:
        """Return how many there are, and count what is skipped; called once."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the names of all images in order."""
        ...

    def items(self, skip: int, preprocess: Preprocess) -> Generator[Item, None, None]:
        """Yield the images in order, without the first ones."""
        ...


@frozen
class PictureInputs:
    """Picture files, and folders of them.

    Attributes
    ----------
    paths : tuple of Path
    skipped : Skipped
        Counts the files that are not pictures, when the pictures are counted.
    root : Path, optional
        For paths of a list: the folder below which all of them are. One that is missing is then a picture that cannot
        be read, and does not end the run.
    every : float, optional
        Seconds between the frames of videos; without it they are skipped.
    """

    paths: tuple[Path, ...]
    skipped: Skipped
    root: Path | None = None
    every: float | None = None

    def __len__(self) -> int:
        return sum(1 for _ in self.names())

    def count(self) -> int:
        """Count the pictures, and the files that are none."""
        return sum(1 for found in self._found(self.skipped) for _ in self._names_in(found))

    def names(self) -> Iterator[str]:
        """Yield the path of each file."""
        return (name for found in self._found() for name in self._names_in(found))

    def items(self, skip: int, preprocess: Preprocess) -> Generator[Item, None, None]:
        """Yield the pictures, none of them read."""
        for found in self._found():
            below = found.below if self.root is None else Path(os.path.relpath(os.path.abspath(found.path), self.root))
            if self._is_video(found):
                names = list(self._names_in(found))
                if len(names) > skip:
                    yield from self._frames(found.path, below, names, skip, preprocess)
                skip = max(0, skip - len(names))
            elif skip:
                skip -= 1
            else:
                yield Item(str(found.path), None, found.path, below)

    def _found(self, skipped: Skipped | None = None) -> Iterator[Found]:
        return iter_pictures(self.paths, skipped, missing=self.root is not None, videos=self.every is not None)

    def _is_video(self, found: Found) -> bool:
        return self.every is not None and found.path.suffix.lower() in VIDEO_SUFFIXES

    def _names_in(self, found: Found) -> Iterator[str]:
        """Yield the name of a picture, or of each frame of a video; that of the video where it cannot be read."""
        if not self._is_video(found):
            yield str(found.path)
            return
        assert self.every is not None
        try:
            times = frame_times(found.path, self.every)
        except PictureError:
            yield str(found.path)
            return
        yield from (frame_name(found.path, seconds) for seconds in times)

    def _frames(
        self, path: Path, below: Path, names: Sequence[str], skip: int, preprocess: Preprocess
    ) -> Iterator[Item]:
        assert self.every is not None
        times = [number * self.every for number in range(len(names))][skip:]
        for name, seconds, frame in zip(names[skip:], times, frames(path, times), strict=True):
            pixels = frame if isinstance(frame, PictureError) else fit_images(frame[None], preprocess)[0]
            yield Item(name, pixels, path, below, seconds)


@frozen
class DatasetInputs:
    """A data set whose images are in an array."""

    path: Path
    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def count(self) -> int:
        """Return how many there are."""
        return len(self.dataset)

    def names(self) -> Iterator[str]:
        """Yield the path of the data set with the number of each image."""
        for batch in self.dataset.batches(CHUNK):
            yield from map(self._full_name, batch.names)

    def items(self, skip: int, preprocess: Preprocess) -> Generator[Item, None, None]:
        """Yield the images."""
        for batch in self.dataset.batches(CHUNK):
            names, images = batch.names[skip:], batch.images[skip:]
            skip = max(0, skip - len(batch.names))
            if not names:
                continue
            fitted = fit_images(images, preprocess) if images.dtype == np.uint8 else images
            for name, pixels, original in zip(names, fitted, images, strict=True):
                yield Item(self._full_name(name), pixels, original, Path(Path(name).name + ".png"))

    @cached_property
    def _prefix(self) -> str:
        folder = self.path if self.path.is_dir() else self.path.parent
        return "" if folder == Path() else os.path.join(folder, "")

    def _full_name(self, name: str) -> str:
        return self._prefix + name


def open_inputs(
    paths: Sequence[str], split: str, skipped: Skipped, listed: Sequence[str] = (), every: float | None = None
) -> list[Inputs]:
    """Return where the images of the paths come from; ``skipped`` counts the files that are not images.

    The paths in ``listed`` come from a list of files, some of which may no longer be there. ``every`` is how many
    seconds there are between the frames of videos.

    Raises
    ------
    DataError
        If a path does not exist or is that of a network, or a data set is damaged.
    """
    sources: list[Inputs] = []
    suffixes = picture_suffixes()
    # Neighboring picture paths become one source, so that a shell's `*.png` is read by one pool of threads.
    in_list = frozenset(listed)
    root = Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in listed])) if listed else None
    marked = [(Path(p), p in in_list, _is_data_set(Path(p), suffixes, p in in_list)) for p in dict.fromkeys(paths)]
    for (is_listed, is_data_set), group in itertools.groupby(marked, key=lambda one: one[1:]):
        members = tuple(path for path, *_ in group)
        if is_data_set:
            sources += [DatasetInputs(path, open_dataset(path, split=split)) for path in members]
        else:
            sources.append(PictureInputs(members, skipped, root if is_listed else None, every))
    return sources


def _is_data_set(path: Path, suffixes: frozenset[str], is_listed: bool) -> bool:
    if not os.path.lexists(path):
        if is_listed:
            return False
        advice = f"--model {path} chooses the network" if str(path) in list_models() else "name " + PICTURES
        raise DataError(f"{path}: no such file or folder; {advice}")
    suffix = path.suffix.lower()
    if not path.is_dir() and (not path.is_file() or suffix in suffixes):
        return False
    if path.is_file() and is_table(path):
        raise DataError(f"{path}: is a table of pictures; cnnfast classify reads tables, and writes another")
    found = any(FORMATS[kind].recognize(path) for kind in ARRAY_KINDS)
    if not found and path.is_file() and any(suffix in entry.suffixes for entry in MODEL_FORMATS.values()):
        raise DataError(
            f"{path}: {suffix} is a kind of model file; choose the network with --model {path}, and name {PICTURES}"
        )
    return found
