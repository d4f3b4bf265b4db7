"""Weights that a model file takes from another one in its folder: networks that have them in common keep them once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats import digest, tensors
from cnnfast.formats.error_context import error_context
from cnnfast.formats.tensors import check_name
from cnnfast.ops import Array

WORTH = 1024
"""Tensors of fewer bytes are not borrowed: naming one takes a tenth of that."""


@frozen
class Borrowed:
    """What a model file leaves out, and where that is.

    Attributes
    ----------
    file : str
        The name of the lender, a sealed file in the same folder.
    sha256 : str
        What the lender states of itself.
    tensors : dict of str to str
        For each tensor that is left out, the name that it has in the lender.
    """

    file: str
    sha256: str
    tensors: Mapping[str, str]

    def encode(self) -> dict[str, Any]:
        """Return it as values that JSON can hold."""
        return {"file": self.file, "sha256": self.sha256, "tensors": dict(sorted(self.tensors.items()))}


def decode(fields: Mapping[str, Any]) -> Borrowed:
    """Return what `Borrowed.encode` gave; everything is checked.

    Raises
    ------
    ModelFileError
        If the lender is not named by a plain name, or something else is not what it must be.
    """
    file, sha256, names = (fields[key] for key in ("file", "sha256", "tensors"))
    # a stranger's file must not make this process open what is outside of its folder
    if check_name(file, "lender") in (".", "..") or re.search(r"[/\\:]", file):
        raise ModelFileError(f"it borrows from {file!r:.200}, which must be the name of a file in its own folder")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ModelFileError(f"the SHA-256 of {file!r} must be 64 hexadecimal digits, but is {sha256!r:.80}")
    if not isinstance(names, dict) or not names:
        raise ModelFileError(f"what it borrows from {file!r} must be an object of names, but is {names!r:.80}")
    pairs = {check_name(own, "tensor"): check_name(theirs, "tensor") for own, theirs in names.items()}
    return Borrowed(file, sha256, pairs)


def in_common(arrays: Mapping[str, Array], path: Path, lender: Path) -> Borrowed:
    """Return which tensors a file that is to be written need not hold, because another one has the same bytes.

    Raises
    ------
    ModelFileError
        If the lender is not another file in the same folder, states no SHA-256, is damaged, or has none of the tensors.
    """
    is_near = lender.parent.resolve() == path.parent.resolve()
    if not is_near or lender.name == path.name:
        raise ModelFileError(
            f"it can borrow from another file in its own folder, so that both are moved together, but {lender} is "
            f"{'the same file' if is_near else 'in another one'}"
        )
    with error_context(lender):
        sha256, theirs = _read(lender)
    known: dict[object, list[str]] = {}
    for name, array in theirs.items():
        known.setdefault(_content(array), []).append(name)
    alike = {name: known.get(_content(array), []) for name, array in arrays.items() if array.nbytes >= WORTH}
    pairs = {name: name if name in names else names[0] for name, names in alike.items() if names}
    if not pairs:
        raise ModelFileError(
            f"it has no tensor of {WORTH:,} bytes or more in common with {lender}, to the byte: write it without "
            "borrowing, or with the dtype in which the other one is stored"
        )
    return Borrowed(lender.name, sha256, pairs)


def fetched(borrowed: Borrowed, folder: Path, mapped: bool = False) -> dict[str, Array]:
    """Return the tensors that a file of this folder borrows, under its own names.

    Raises
    ------
    ModelFileError
        If the lender is missing, damaged or another one, or has no such tensor.
    """
    path = folder / borrowed.file
    count = len(borrowed.tensors)
    what = f"it borrows {count} tensor{'s' * (count > 1)} from {borrowed.file!r}, of SHA-256 {borrowed.sha256}"
    if not path.is_file():
        raise ModelFileError(f"{what}, which belongs in the same folder and is not there: copy both files")
    with error_context(path):
        sha256, theirs = _read(path, mapped)
    if sha256 != borrowed.sha256:
        raise ModelFileError(f"{what}, but the file of that name is now another one, of SHA-256 {sha256}: put it back")
    if missing := [name for name in borrowed.tensors.values() if name not in theirs]:
        raise ModelFileError(f"{what}, but that has no tensor {missing[0]!r}")
    return {own: theirs[name] for own, name in borrowed.tensors.items()}


def _read(path: Path, mapped: bool = False) -> tuple[str, dict[str, Array]]:
    """Return the SHA-256 and the tensors of a file."""
    data = tensors.bytes_of(path, digest.END, mapped)
    digest.check_digest(data)
    return data[digest.BEGIN : digest.END].tobytes().decode(), tensors.unpack(data)[1]


def _content(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.str, array.shape, hashlib.sha256(tensors.as_bytes(array)).digest()
