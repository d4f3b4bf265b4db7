"""The model file of cnnfast: one safetensors file that holds a whole `Model` as data.

`docs/model-file.md` describes it byte by byte.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats import borrowed, description, digest, tensors
from cnnfast.formats.digest import BLANK, DIGEST, PREFIX, check_digest, sealed
from cnnfast.formats.error_context import error_context
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.formats.narrow import check_dtype, stored
from cnnfast.formats.plain_names import with_plain_names
from cnnfast.formats.remembered import taken_from, tensors_of
from cnnfast.images.preprocess import rule_of
from cnnfast.runtime.mapped import check_not_rewritten
from cnnfast.runtime.outputs import file_behind

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

MODEL = "cnnfast.model"
BORROWED = rb"\"borrowed\":"
"""What the header of a file that borrows has in it; most files need no second look."""


def save(
    model: Model, path: str | os.PathLike[str], dtype: object = None, borrow: str | os.PathLike[str] | None = None
) -> None:
    """Write a model file: all of it or nothing, and the same bytes for the same model.

    Parameters
    ----------
    model : Model
        Its constants may be float32, float64 and float16. Names that the file cannot hold are written out or cut.
    path : path-like
        Replaced where it exists.
    dtype : optional
        "float16" for weights in half the bytes, "int8" for a quarter of them, see `cnnfast.formats.narrow.stored`.
    borrow : path-like, optional
        Another model file in the same folder: tensors that it has too are left out, and read from there.

    Raises
    ------
    ConfigError
        If the dtype is another one.
    ModelFileError
        If the model could not be read back: a tensor of another dtype, an attribute that is not finite, a text that
        is too long, an op made by a pass; or a weight is too large for the dtype. Or the other file is elsewhere, is no
        such file, or has nothing in common with the model.
    OutputError
        If the file cannot be written: there is no such folder, the disk is full, …
    """
    path, name = Path(path), check_dtype(dtype)
    file_behind(path)
    with error_context(path):
        content = stored(replace(model, graph=with_plain_names(model.graph)), name)
        borrows = None if borrow is None else borrowed.in_common(content.arrays, path, Path(borrow))
        left_out = borrows.tensors if borrows else {}
        text = json.dumps(description.encode(content.model, content.scales, borrows), separators=(",", ":"))
        own = {name: array for name, array in content.arrays.items() if name not in left_out}
        held = {**own, **tensors_of(model.remembered)}
        header, arrays = tensors.pack({DIGEST: BLANK.decode(), MODEL: text}, held)
        # a file that could not be loaded must not come into the world
        tensors.read_header(np.frombuffer(header, np.uint8))
        description.decode(text, own, lambda _: {name: content.arrays[name] for name in left_out})
    seal = sealed(header, arrays)
    check_not_rewritten(model.graph.constants.values())
    tensors.write(path, seal, arrays)


def load(path: str | os.PathLike[str], *, mapped: bool = False, preprocess: Preprocess | str | None = None) -> Model:
    """Read a model file; nothing in it is executed.

    Parameters
    ----------
    path : path-like
    mapped : bool
        Map the file into memory whatever its size, so that processes share it; it must stay as it is. What the file
        holds in fewer bytes is float32 in the memory of each of them.
    preprocess : Preprocess or str, optional
        A rule, or the name of one of `cnnfast.images.preprocess.MODES`, instead of that in the file.

    Returns
    -------
    Model
        Its constants are read-only.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is damaged, or is of a version that this cnnfast does not know; or that from which
        it borrows is not in its folder.
    """
    with error_context(path):
        data = tensors.bytes_of(Path(path), digest.END, mapped)
        if data[8 : digest.BEGIN].tobytes() != PREFIX:
            raise ModelFileError(f"no cnnfast model file: bytes 8 to {digest.BEGIN - 1} must be {PREFIX.decode()}")
        metadata, arrays = tensors.unpack(data)
        check_digest(data)
        if metadata.keys() != {DIGEST, MODEL}:
            raise ModelFileError(f"{tensors.METADATA} of the header must have exactly the keys {DIGEST} and {MODEL}")
        remembered, others = taken_from(arrays)
        lend = partial(borrowed.fetched, folder=Path(path).parent, mapped=mapped)
        model = description.decode(metadata[MODEL], others, lend)
        model = replace(model, remembered=remembered)
        return model if preprocess is None else _with_rule(model, preprocess)


def lender_of(path: str | os.PathLike[str]) -> Path | None:
    """Return the file from which a model file borrows tensors; None if it holds all of them.

    Raises
    ------
    ModelFileError
        If its header or its description is damaged.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        length = min(int.from_bytes(start, "little"), tensors.MAX_HEADER)
        raw = start + file.read(length)
    if BORROWED not in raw:
        return None
    header, _ = tensors.read_header(np.frombuffer(raw, np.uint8))
    name = description.lender(header[tensors.METADATA][MODEL])
    return None if name is None else Path(path).parent / name


def _with_rule(model: Model, preprocess: Preprocess | str) -> Model:
    """Return a model with another preprocessing: what it remembers was seen through its own."""
    (shape,) = model.graph.inputs.values()
    rule = rule_of(preprocess, shape)
    return model if rule == model.preprocess else replace(model, preprocess=rule, remembered=None)


def _sniff(path: Path, head: bytes) -> bool:
    return head[8 : digest.BEGIN] == PREFIX


OPTIONS = ("mapped", "preprocess")
FORMAT = register(ModelFormat("cnnfast", "the model file of cnnfast", (".safetensors",), _sniff, load, OPTIONS))
