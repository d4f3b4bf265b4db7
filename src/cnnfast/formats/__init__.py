"""Model files: each format is one file, which turns what the user has into a `Model` and executes nothing.

To add a format, write ``formats/<name>.py`` that calls `register`, and import it below.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cnnfast.formats.convnetjs
import cnnfast.formats.cs61c
import cnnfast.formats.native
import cnnfast.formats.weights  # noqa: F401  (each of them registers its formats)
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.model import Model
from cnnfast.formats.native import save
from cnnfast.formats.registry import FORMATS, HEAD, Format, register

__all__ = ["FORMATS", "Format", "Model", "detect", "load_model", "register", "save"]


def load_model(path: str | os.PathLike[str], **options: Any) -> Model:
    """Read a model file of any known format, recognised by its content.

    Parameters
    ----------
    path : path-like
        A file, or the folder of a format that is one.
    **options
        What the reader of the format takes besides the path.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is of no known format, or is damaged.
    UnsupportedError
        If it holds layers that cnnfast does not run; all of them are listed.
    ConfigError
        If the reader of its format does not take an option.
    """
    entry = detect(path)
    _check_options(path, entry, options)
    return entry.read(Path(path), **options)


def _check_options(path: str | os.PathLike[str], entry: Format, options: Mapping[str, object]) -> None:
    known = list(inspect.signature(entry.read).parameters)[1:]
    if strange := [name for name in options if name not in known]:
        raise ConfigError(
            f"{path}: a file of the format {entry.name} takes no option {strange[0]!r}; "
            f"it takes: {', '.join(known) or 'none'}"
        )


def detect(path: str | os.PathLike[str]) -> Format:
    """Return the format of a file or folder, judged by its content.

    Raises
    ------
    ModelFileError
        If the file cannot be read or is of no known format.
    """
    path = Path(path)
    head = _head(path)
    for entry in FORMATS.values():
        if entry.sniff(path, head):
            return entry
    known = "; ".join(f"{entry.name} ({entry.description}: {', '.join(entry.suffixes)})" for entry in FORMATS.values())
    start = f"it starts with {head[:16]!r}" if head else "it is empty" if path.is_file() else "it is a folder"
    raise ModelFileError(f"{path}: this is no model file that cnnfast knows ({start}); it reads: {known}")


def _head(path: Path) -> bytes:
    if path.is_dir():
        return b""
    # Opening a pipe or a device could wait for ever.
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{path}: neither a file nor a folder; a model must be one of them")
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise ModelFileError(f"{path}: the model file cannot be read: {error.strerror or error}") from error
