"""Folders, by what is in them; and files of bare weights, by the file next to them that says what they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cnnfast.formats.unread.texts import KINDS

HEAD = 4096
MAX_ENTRIES = 200
MAX_LISTED = 8

ADVICE = {
    "keras_metadata.pb": (
        "a SavedModel of Keras",
        ": load it in Keras 2 and save it as one file, `keras.models.load_model('FOLDER').save('net.h5')`, or convert "
        "it, `python -m tf2onnx.convert --saved-model FOLDER --output net.onnx`",
    ),
    "saved_model.pb": (
        "a SavedModel of TensorFlow",
        ": convert it, `python -m tf2onnx.convert --saved-model FOLDER --output net.onnx`",
    ),
    "Manifest.json": (
        "a package of Core ML (.mlpackage)",
        ", which nothing converts back: take the model it was made from (ONNX, Keras, PyTorch)",
    ),
    "coremldata.bin": (
        "a compiled Core ML model (.mlmodelc)",
        ", which nothing converts back: take the model it was made from (ONNX, Keras, PyTorch)",
    ),
}
"""A file that a folder holds, what the folder then is, and what to do."""

MARKS = {"Manifest.json": b"com.apple.CoreML"}
"""What a file must hold to count, where its name alone is not enough."""


def described(folder: Path) -> str | None:
    """Return what a folder is, or which models are in it."""
    for name, (kind, advice) in ADVICE.items():
        if MARKS.get(name, b"") in _head(folder / name) and (folder / name).is_file():
            return kind + advice.replace("FOLDER", str(folder))
    models = list(islice(_models(folder), MAX_LISTED))
    if not models:
        return None
    return f"a folder that holds {', '.join(models)}: name one of these files"


def _models(folder: Path) -> Iterator[str]:
    """Yield the files of a folder, and of the folders in it, that a reader knows."""
    from cnnfast.formats.model_format import FORMATS

    inner = [name for name in _names(folder) if os.path.isdir(folder / name)]
    below = (os.path.join(name, deeper) for name in inner for deeper in _names(folder / name))
    for name in islice((*_names(folder), *below), MAX_ENTRIES):
        head = _head(folder / name)
        if head and any(entry.sniff(folder / name, head) for entry in FORMATS.values()):
            yield name


def _names(folder: Path) -> list[str]:
    """Return what a folder holds, or nothing where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, MAX_ENTRIES))
    except OSError:
        return []


def companion(path: Path) -> str | None:
    """Return what a file of bare weights belongs to: the network next to it under the same name."""
    for other in (path.with_suffix(".xml"), path.with_suffix(".param"), path.with_name("model.json")):
        head = _head(other) if other != path else b""
        for kind in KINDS:
            if head and kind.sniff(head):
                return f"bare weights next to {other.name}, which is {kind.name}{kind.advice}"
    return None


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; none if it is not a file or cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError, RuntimeError):
        return b""
