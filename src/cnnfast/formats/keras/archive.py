"""The two files of Keras: HDF5 with everything in it, and a zip of a configuration and HDF5 with the weights."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5 import EXPANSION, SIGNATURE
from cnnfast.formats.keras.config import KerasModel, parse_model
from cnnfast.formats.keras.store import Store
from cnnfast.formats.keras.weights import ContainerWeights, KerasWeights, LegacyWeights
from cnnfast.formats.strict_json import parse

MAX_JSON, JSON_FLOOR = 16 << 20, 4 << 20
"""Bytes of a configuration, whatever the file has; and of one in a small file, beyond what its size explains."""
MAX_CONTAINERS = 1_000_000

ZIP = b"PK\x03\x04"
ENTRY = b"PK\x01\x02"
"""Begins the entry of a member in the directory at the end of a zip."""
DIRECTORY = 1 << 16
"""Bytes at the end of a file that are searched for such entries."""
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


@frozen
class Archive:
    """What a file of Keras holds: the version that wrote it (2 or 3), the model, and its weights."""

    version: int
    model: KerasModel
    weights: KerasWeights


def sniff(path: Path, head: bytes) -> bool:
    """Return whether a file is HDF5, or a zip with a member of Keras's anywhere."""
    return head.startswith(SIGNATURE) or (head.startswith(ZIP) and _is_of_keras(path, head))


def _is_of_keras(path: Path, head: bytes) -> bool:
    """Look at the first member, which is one of Keras's unless the file was packed again, then at all of them."""
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first.decode("ascii", "replace") in (CONFIG, METADATA, WEIGHTS):
        return True
    try:
        with path.open("rb") as file:
            file.seek(-min(DIRECTORY, file.seek(0, os.SEEK_END)), os.SEEK_END)
            tail = file.read(DIRECTORY)
    except OSError:
        return False
    return _lists(tail, CONFIG) and (_lists(tail, WEIGHTS) or _lists(tail, METADATA))


def _lists(directory: bytes, name: str) -> bool:
    """Return whether the directory of a zip lists a member of a name, in whatever folder."""
    wanted = name.encode()
    at = directory.find(ENTRY)
    while at >= 0:
        length = int.from_bytes(directory[at + 28 : at + 30], "little")
        member = directory[at + 46 : at + 46 + length]
        if member == wanted or member.endswith(b"/" + wanted):
            return True
        at = directory.find(ENTRY, at + 4)
    return False


def read_archive(path: Path) -> Archive:
    """Read a file of Keras.

    Raises
    ------
    ModelFileError
        If it is damaged, or not a model.
    UnsupportedError
        If its HDF5 is of a kind that Keras never writes.
    """
    content = np.fromfile(path, np.uint8)
    if content[: len(SIGNATURE)].tobytes() == SIGNATURE:
        return _from_hdf5(Store(content))
    config, metadata, weights = _unzip(path, content.size)
    model = parse_model(config)
    try:
        store = Store(weights)
    except (ModelFileError, UnsupportedError) as error:
        raise type(error)(f"{WEIGHTS}: {error}") from error
    return Archive(_version(metadata.get("keras_version")), model, ContainerWeights(store, model))


def _from_hdf5(store: Store) -> Archive:
    text = store.text("", "model_config")
    if text is None:
        raise ModelFileError(
            "this HDF5 file holds no model of Keras: it has no attribute model_config; if it holds weights only, save "
            "the whole model with model.save()"
        )
    model = parse_model(parse(text, "model_config", MAX_CONTAINERS))
    version = store.text("", "keras_version") or store.text("model_weights", "keras_version")
    return Archive(_version(version), model, LegacyWeights(store))


def _unzip(path: Path, size: int) -> tuple[Any, dict[str, Any], bytes]:
    """Return the configuration, what is said about it, and the bytes of the weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if CONFIG not in names:
                raise _without_config(names)
            if CONFIG in names and WEIGHTS not in names:
                raise UnsupportedError(
                    f"its weights are in {', '.join(n for n in names if 'weights' in n)[:200] or 'no member'}; cnnfast "
                    f"reads {WEIGHTS}: save the model as one file, with weights in HDF5"
                )
            config = _json(archive, CONFIG, size)
            metadata = _json(archive, METADATA, size) if METADATA in names else {}
            return config, metadata if isinstance(metadata, dict) else {}, _member(archive, WEIGHTS, EXPANSION * size)
    # zipfile meets damage by all of these
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError,
        OverflowError, MemoryError, struct.error,
    ) as error:  # fmt: skip
        if isinstance(error, ModelFileError | UnsupportedError):
            raise
        raise ModelFileError(f"the zip file is damaged: {error}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > most:
        raise ModelFileError(f"{name} would take {info.file_size} bytes; at most {most} are allowed")
    with archive.open(info) as member:
        return member.read(info.file_size)


def _json(archive: zipfile.ZipFile, name: str, size: int) -> Any:
    most = min(MAX_JSON, JSON_FLOOR + EXPANSION * size)
    return parse(_member(archive, name, most).decode("utf-8"), name, MAX_CONTAINERS)


def _without_config(names: list[str]) -> ModelFileError:
    inside = next((name for name in names if name.endswith(f"/{CONFIG}") and not name.startswith("__MACOSX/")), None)
    if inside is None:
        return ModelFileError(f"the zip file has no member {CONFIG}, which every model of Keras has")
    folder = inside.removesuffix(CONFIG)
    return ModelFileError(
        f"its members are in the folder {folder!r:.80} of the zip file, but {CONFIG} and {WEIGHTS} must be at the top, "
        "for Keras too: pack the files in the folder, not the folder"
    )


def _version(value: object) -> int:
    text = value if isinstance(value, str) else "2"
    if text.startswith("1."):
        raise UnsupportedError(f"it was written by Keras {text:.20}; load it in Keras 2 and save it again")
    return 2 if text.startswith("2") else 3
