"""Models of Keras 3, a zip archive."""

from __future__ import annotations

import zlib

from fuzz.corpora import Corpus


def seal(content: bytes) -> bytes:
    """Put the checksums of the members right, as far as their directory still leads to them."""
    data, at = bytearray(content), content.rfind(b"PK\x01\x02")
    while at >= 0:
        size = int.from_bytes(data[at + 20 : at + 24], "little")
        local = int.from_bytes(data[at + 42 : at + 46], "little")
        start = local + 30 + sum(int.from_bytes(data[local + k : local + k + 2], "little") for k in (26, 28))
        if start + size <= len(data) and local + 18 < len(data):
            checksum = zlib.crc32(data[start : start + size]).to_bytes(4, "little")
            data[at + 16 : at + 20] = checksum
            data[local + 14 : local + 18] = checksum
        at = content.rfind(b"PK\x01\x02", 0, at)
    return bytes(data)


def seeds() -> list[bytes]:
    """Return a small network with a residual connection."""
    from formats.keras.crafted import keras_bytes, layers

    return [seal(keras_bytes(layers()))]


CORPUS = Corpus(
    "keras",
    seeds,
    seal=seal,
    words=(b'"Lambda"', b'"class_name": "', b"[null, 99999999, 9]", b"-1", b"null", b"[[[[", b'"layers": [', b"1e999"),
    needs=("h5py",),
)
