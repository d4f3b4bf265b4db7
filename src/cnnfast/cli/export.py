"""``--copy-to``, ``--link-to`` and ``--move-to``: pictures sorted into folders."""

from __future__ import annotations

import errno
import filecmp
import io
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cnnfast.cli.inputs import DatasetInputs, Inputs, Item
from cnnfast.errors import ConfigError, OutputError
from cnnfast.images.pictures.kinds import picture_suffixes
from cnnfast.images.preprocess import Array
from cnnfast.runtime.escapes import in_line
from cnnfast.runtime.outputs import creating, holding

UNSURE, UNKNOWN, UNREADABLE = "unsure", "unknown", "unreadable"
"""Sub-folders that are not named after a class."""


def beside_classes(name: str, classes: Sequence[str]) -> str:
    """Return the name of one of our own sub-folders, changed where a class is called so.

    Examples
    --------
    >>> beside_classes(UNKNOWN, ["cat", "dog"]), beside_classes(UNKNOWN, ["cat", "unknown"])
    ('unknown', '_unknown')
    """
    return f"_{name}" if name in classes else name


class Shelf:
    """A folder that receives pictures; nothing in it is ever overwritten.

    A picture keeps its place below the folder that was searched. A name that another picture has taken becomes
    ``name-2.jpg``; a picture that is there already is left as it is, so that a resumed run makes no second copies.
    Images of a data set are written as PNG.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    how : {"copy", "link", "move"}
        Links are symbolic.
    flat : bool
        Put pictures next to each other, without the folders that they come from.
    paths : sequence of Path
        What is searched.
    sources : sequence of Inputs

    Raises
    ------
    ConfigError
        If the folder is a file, or inside one that is searched, or if images without a file are to be linked, moved or
        copied.
    """

    def __init__(self, folder: Path, how: str, flat: bool, paths: Sequence[Path], sources: Sequence[Inputs]) -> None:
        self._folder, self._how, self._flat = folder, how, flat
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise ConfigError(f"{folder}: is not a folder, so it cannot receive pictures; name another one")
        _check_outside(folder, paths)
        for source in sources:
            if isinstance(source, DatasetInputs):
                _check_images(source, how)
        # names are only remembered where pictures of an earlier run may be among them
        self._placed: set[Path] | None = set() if next(_files(folder), None) is not None else None

    @property
    def moves(self) -> bool:
        """Whether pictures are no longer where they were."""
        return self._how == "move"

    def put(self, item: Item, label: str) -> Path | None:
        """Take a picture into the sub-folder ``label``, which may be empty, and return where it is then.

        None is for a path that is not a file, such as a folder that cannot be entered.
        """
        picture = item.picture
        if isinstance(picture, Path) and not os.path.isfile(picture):
            return None
        folder = self._folder / as_folder_name(label)
        if not self._flat:
            folder = folder / item.below.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not isinstance(picture, Path):
            actions = _png_actions(picture)
        else:
            actions = {"copy": _copy_actions, "link": _link_actions, "move": _move_actions}[self._how](picture)
        target = _place(folder, item.below.name, *actions)
        if self._placed is not None:
            self._placed.add(target)
        return target

    def left_over(self) -> list[str]:
        """Return what to say about pictures that an earlier run has put there, and this one would not have."""
        if self._placed is None:
            return []
        left = [path for path in _files(self._folder) if path not in self._placed]
        if not left:
            return []
        return [
            f"{self._folder}: {len(left):,} file{'s'[: len(left) > 1]} of an earlier run "
            f"{'are' if len(left) > 1 else 'is'} still there, which this run does not put there; the first is "
            f"{in_line(str(left[0]))}"
        ]


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


Same = Callable[[Path], bool]
Make = Callable[[Path], None]


def _place(folder: Path, name: str, same: Same, make: Make) -> Path:
    """Make a file under the first free name, unless it is there already, and return its path.

    ``make`` raises FileExistsError where the name is taken, also by another run in that moment.
    """
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{Path(name).stem}-{number}{Path(name).suffix}")
        if os.path.lexists(target):
            if same(target):
                return target
            continue
        with suppress(FileExistsError):
            make(target)
            return target
    raise AssertionError("numbers do not end")


def _copy_actions(picture: Path) -> tuple[Same, Make]:
    return lambda target: target.is_file() and filecmp.cmp(picture, target, shallow=False), lambda t: _copy(picture, t)


def _copy(picture: Path, target: Path) -> None:
    # what an interruption leaves must not look like another picture of that name
    with picture.open("rb") as source, creating(target) as file:
        shutil.copyfileobj(source, file)
    shutil.copystat(picture, target)


def _link_actions(picture: Path) -> tuple[Same, Make]:
    absolute = Path(os.path.abspath(picture))
    return lambda target: target.is_symlink() and target.readlink() == absolute, lambda t: t.symlink_to(absolute)


def _move_actions(picture: Path) -> tuple[Same, Make]:
    def make(target: Path) -> None:
        if picture.is_symlink():  # a relative link would lead nowhere from there
            target.symlink_to(os.path.realpath(picture))
            picture.unlink()
        else:
            _move(picture, target)

    # Only where it is itself: two pictures that are alike are both kept.
    return lambda target: target.name == picture.name and os.path.samefile(target.parent, picture.parent), make


def _move(picture: Path, target: Path) -> None:
    try:
        with holding(target):
            os.replace(picture, target)
        return
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise OutputError(f"{picture}: cannot be moved to {target}: {error.strerror}") from error
    _copy(picture, target)
    try:
        picture.unlink()
    except FileNotFoundError:
        pass  # another run has taken it away
    except OSError as error:
        with suppress(OSError):
            target.unlink()
        raise OutputError(f"{picture}: cannot be moved to {target}: {error.strerror}") from error


def _png_actions(picture: Array) -> tuple[Same, Make]:
    content = _as_png(picture)

    def make(target: Path) -> None:
        with creating(target) as file:
            file.write(content)

    return lambda target: target.is_file() and target.read_bytes() == content, make


def _as_png(picture: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    pixels = picture[..., 0] if picture.shape[2] == 1 else picture
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()


def as_folder_name(label: str) -> str:
    """Return a class as the name of one folder, whatever it is called."""
    name = "".join("_" if c in "/\\:\0" else c for c in label)
    return f"_{name}" if name.startswith(".") else name


def check_apart(file: Path, paths: Sequence[Path]) -> None:
    """Refuse a picture that is to be written where pictures are searched: it would replace one, or be taken for one.

    Raises
    ------
    ConfigError
        If the file is one of the paths, or in one of them.
    """
    for path in paths:
        if os.path.realpath(file) == os.path.realpath(path):
            raise ConfigError(f"{file}: is one of the pictures, which it would replace; name another file")
        if (
            file.suffix.lower() in picture_suffixes()
            and path.is_dir()
            and file.resolve().is_relative_to(path.resolve())
        ):
            raise ConfigError(
                f"{file}: is inside {path}, where it would replace a picture or be taken for one; name a file outside "
                "of it, or a page (.html)"
            )


def _check_outside(folder: Path, paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise ConfigError(
                f"{folder}: is inside {path}, so the copies would be searched too; name a folder outside of it"
            )


def _check_images(source: DatasetInputs, how: str) -> None:
    if how != "copy":
        wish = "link to" if how == "link" else how
        raise ConfigError(f"{source.path}: is a data set, and its images have no files to {wish}; use --copy-to")
    first = next(source.dataset.batches(1))
    if first.images.dtype != np.uint8:
        raise ConfigError(
            f"{source.path}: holds {first.images.dtype}, not pixels, so it cannot be copied as pictures; "
            "leave out --copy-to and use --out"
        )
