"""Copies of, or links to, the pictures that were found."""

from __future__ import annotations

import filecmp
import io
import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cnnfast.cli.inputs import DatasetInputs, Inputs, Item
from cnnfast.errors import ConfigError
from cnnfast.images.preprocess import Array
from cnnfast.runtime.outputs import replacing


class Shelf:
    """A folder that receives pictures; nothing in it is ever overwritten.

    A name that another picture has taken becomes ``name-2.jpg``; a picture that is there already is left as it is, so
    that a resumed run makes no second copies. Images of a data set are written as PNG.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    link : bool
        Make symbolic links instead of copies.
    paths : sequence of str
        What is searched.
    sources : sequence of Inputs

    Raises
    ------
    ConfigError
        If the folder is inside one that is searched, or if images without a file are to be linked or copied.
    """

    def __init__(self, folder: Path, link: bool, paths: Sequence[str], sources: Sequence[Inputs]) -> None:
        self._folder = folder
        self._link = link
        _check_outside(folder, paths)
        for source in sources:
            if isinstance(source, DatasetInputs):
                _check_images(source, link)

    def put(self, item: Item, label: str) -> None:
        """Take a picture into the sub-folder ``label``, which may be empty."""
        folder = self._folder / _as_folder_name(label)
        folder.mkdir(parents=True, exist_ok=True)
        picture = item.picture
        if not isinstance(picture, Path):
            _place(folder, Path(item.name).name + ".png", *_png_actions(picture))
        elif self._link:
            _place(folder, picture.name, *_link_actions(picture))
        else:
            _place(folder, picture.name, *_copy_actions(picture))


Same = Callable[[Path], bool]
Make = Callable[[Path], None]


def _place(folder: Path, name: str, same: Same, make: Make) -> None:
    """Make a file under the first free name, unless it is there already."""
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{Path(name).stem}-{number}{Path(name).suffix}")
        if not os.path.lexists(target):
            make(target)
            return
        if same(target):
            return


def _copy_actions(picture: Path) -> tuple[Same, Make]:
    def make(target: Path) -> None:
        # An incomplete copy, left by an interruption, must not look like another picture of that name.
        with picture.open("rb") as source, replacing(target, durable=False) as file:
            shutil.copyfileobj(source, file)
        shutil.copystat(picture, target)

    return lambda target: target.is_file() and filecmp.cmp(picture, target, shallow=False), make


def _link_actions(picture: Path) -> tuple[Same, Make]:
    absolute = Path(os.path.abspath(picture))
    return lambda target: target.is_symlink() and target.readlink() == absolute, lambda t: t.symlink_to(absolute)


def _png_actions(picture: Array) -> tuple[Same, Make]:
    content = _as_png(picture)
    return lambda target: target.is_file() and target.read_bytes() == content, lambda t: _write(t, content)


def _write(target: Path, content: bytes) -> None:
    with replacing(target, durable=False) as file:
        file.write(content)


def _as_png(picture: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    pixels = picture[..., 0] if picture.shape[2] == 1 else picture
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()


def _as_folder_name(label: str) -> str:
    """Return a class as the name of one folder, whatever it is called."""
    name = "".join("_" if c in "/\\:\0" else c for c in label)
    return f"_{name}" if name.startswith(".") else name


def _check_outside(folder: Path, paths: Sequence[str]) -> None:
    for path in map(Path, paths):
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise ConfigError(
                f"{folder}: is inside {path}, so the copies would be searched too; name a folder outside of it"
            )


def _check_images(source: DatasetInputs, link: bool) -> None:
    if link:
        raise ConfigError(f"{source.path}: is a data set, and its images have no files to link to; use --copy-to")
    first = next(source.dataset.batches(1))
    if first.images.dtype != np.uint8:
        raise ConfigError(
            f"{source.path}: holds {first.images.dtype}, not pixels, so it cannot be copied as pictures; "
            "leave out --copy-to and use --out"
        )
