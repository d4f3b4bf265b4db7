"""Model files: each format is one file, which turns what the user has into a `Model` and executes nothing.

To add a format, write ``formats/<name>.py`` that calls `register`, and import it in ``formats/all.py``. Only cnnfast's
own is imported at once: a process that answers with a shipped network should not wait for the others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import FORMATS as _FORMATS
from cnnfast.formats.model_format import HEAD, ModelFormat, register
from cnnfast.formats.native import FORMAT as OWN
from cnnfast.formats.saving import save
from cnnfast.runtime.suggest import did_you_mean

if TYPE_CHECKING:
    from cnnfast.formats.model_format import FORMATS

__all__ = ["FORMATS", "Format", "Model", "detect", "load_model", "register", "save"]


def __getattr__(name: str) -> object:
    if name != "FORMATS":
        raise AttributeError(f"module 'cnnfast.formats' has no attribute {name!r}")
    return _all_formats()


def _all_formats() -> dict[str, ModelFormat]:
    import cnnfast.formats.all  # noqa: F401  (it registers all formats)

    return _FORMATS


def load_model(path: str | os.PathLike[str], **options: Any) -> Model:
    """Read a model file of any known format, recognized by its content.

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
    if options:
        _check_options(path, entry, options)
    return entry.read(Path(path), **options)


def _check_options(path: str | os.PathLike[str], entry: ModelFormat, options: Mapping[str, object]) -> None:
    if strange := [name for name in options if name not in entry.options]:
        raise ConfigError(
            f"{path}: a file of the format {entry.name} takes no option {strange[0]!r}; "
            f"it takes: {', '.join(entry.options) or 'none'}{did_you_mean(strange[0], entry.options)}"
        )


def detect(path: str | os.PathLike[str]) -> ModelFormat:
    """Return the format of a file or folder, judged by its content.

    Raises
    ------
    ModelFileError
        If the file cannot be read or is of no known format.
    """
    path = Path(path)
    head = _head(path)
    if OWN.sniff(path, head):
        return OWN
    from cnnfast.formats.unread import what_it_is

    formats = _all_formats().values()
    for entry in formats:
        if entry.sniff(path, head):
            return entry
    what = what_it_is(path, head)
    if what is not None:
        raise ModelFileError(f"{path}: this is not a model file that cnnfast reads, but {what}")
    known = "; ".join(f"{entry.name} ({entry.description}: {', '.join(entry.suffixes)})" for entry in formats)
    start = f"it starts with {head[:16]!r}" if head else "it is a folder"
    raise ModelFileError(f"{path}: this is not a model file that cnnfast knows ({start}); it reads: {known}")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            return b""
        # Opening a pipe or a device could block forever.
        if path.exists() and not path.is_file():
            raise ModelFileError(f"{path}: neither a file nor a folder; a model must be one of them")
        with path.open("rb") as file:
            return file.read(HEAD)
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path!s:.1000}: the model file cannot be read: {reason}") from error
