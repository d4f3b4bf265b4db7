"""The list of file formats: each is one file of this folder that registers itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.formats.model import Model
from cnnfast.runtime.registry import Registry


@frozen
class ModelFormat:
    """A kind of model file.

    Attributes
    ----------
    name : str
        What the user calls it.
    description : str
        What it is, in half a line.
    suffixes : tuple of str
        How its files are usually called; never used to recognize one.
    sniff : callable (path, head) -> bool
        Whether a file is of this format, judged by its first `HEAD` bytes; ``head`` is empty for a folder.
    read : callable (path, **options) -> Model
        Executes nothing that the file holds.
    options : tuple of str
        The keyword arguments that ``read`` takes.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path, bytes], bool]
    read: Callable[..., Model]
    options: tuple[str, ...] = ()


HEAD = 4096
"""How many bytes of a file `ModelFormat.sniff` sees."""

FORMATS: Registry[str, ModelFormat] = Registry("formats of models")
"""Every format by its name, in the order in which they are tried."""


def register(entry: ModelFormat) -> ModelFormat:
    """Enter a format into `FORMATS`."""
    return FORMATS.add(entry.name, entry)
