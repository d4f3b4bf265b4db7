"""The SHA-256 that a file of ours states of itself, at a place known in every version.

It is of all bytes, with zeros in its own place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnfast.errors import ModelFileError
from cnnfast.formats import tensors
from cnnfast.ops import Array

DIGEST = "cnnfast.sha256"
PREFIX = f'{{"{tensors.METADATA}":{{"{DIGEST}":"'.encode()
"""Every file has these bytes at byte 8, and the digest right behind them."""
BEGIN = 8 + len(PREFIX)
END = BEGIN + 64
BLANK = b"0" * 64


def sealed(header: bytes, arrays: Sequence[Array]) -> bytes:
    """Return the header of `tensors.pack`, whose first metadata is `DIGEST` with `BLANK`, with the digest put in."""
    digest = hashlib.sha256(header)
    for array in arrays:
        digest.update(tensors.as_bytes(array))
    return header[:BEGIN] + digest.hexdigest().encode() + header[END:]


def check_digest(data: Array) -> None:
    """Check that a file, as bytes, is what was written.

    Raises
    ------
    ModelFileError
        If it states no digest, or another one.
    """
    if data[8:BEGIN].tobytes() != PREFIX:
        raise ModelFileError(f"states no SHA-256: bytes 8 to {BEGIN - 1} must be {PREFIX.decode()}")
    stated = data[BEGIN:END].tobytes()
    digest = hashlib.sha256(data[:BEGIN].data)
    digest.update(BLANK)
    digest.update(data[END:].data)
    actual = digest.hexdigest().encode()
    if stated != actual:
        raise ModelFileError(
            f"the SHA-256 of the file is {actual.decode()}, but it states {stated.decode('ascii', 'replace')} (byte "
            f"{BEGIN}): it was damaged or changed after it was written; get it again"
        )


def write_sealed(path: Path, metadata: Mapping[str, str], arrays: Mapping[str, Array]) -> None:
    """Write metadata and arrays, with their digest: all of it or nothing.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    header, ordered = tensors.pack({DIGEST: BLANK.decode(), **metadata}, arrays)
    tensors.write(path, sealed(header, ordered), ordered)


def read_sealed(path: Path, mapped: bool = False) -> tuple[dict[str, str], dict[str, Array]]:
    """Return the metadata and the arrays of a file, which is mapped if that is asked for, or it is large.

    Raises
    ------
    ModelFileError
        If it is not what was written.
    OSError
        If it cannot be read.
    """
    data = tensors.bytes_of(path, END, mapped)
    check_digest(data)
    metadata, arrays = tensors.unpack(data)
    del metadata[DIGEST]
    return metadata, arrays
