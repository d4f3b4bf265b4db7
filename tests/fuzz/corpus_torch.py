"""State dicts of PyTorch, in the zip archive and in the stream before it."""

from __future__ import annotations

import zlib

import numpy as np
from formats.pickles.assembled import saved
from formats.weights.small import small_graph, small_state
from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return the same weights in both containers, with what a training script saves with them."""
    state = small_state() | {"bn.num_batches_tracked": np.array(7)}
    return [saved(state, is_zip, epoch=b"K\x03", args=b"cargparse\nNamespace\n)\x81}b") for is_zip in (True, False)]


def seal(content: bytes) -> bytes:
    """Put the checksums of a zip archive right, of every member that its directory still leads to."""
    raw = bytearray(content)
    entry = raw.find(b"PK\x01\x02")
    while entry >= 0 and entry + 46 <= len(raw):
        size = int.from_bytes(raw[entry + 20 : entry + 24], "little")
        local = int.from_bytes(raw[entry + 42 : entry + 46], "little")
        if raw[local : local + 4] == b"PK\x03\x04":
            lengths = (int.from_bytes(raw[local + at : local + at + 2], "little") for at in (26, 28))
            start = local + 30 + sum(lengths)
            checksum = zlib.crc32(raw[start : start + size]).to_bytes(4, "little")
            # the archive may state sizes and checksum behind the data; the directory is what readers go by
            raw[entry + 16 : entry + 20] = checksum
            if not raw[local + 6] & 8:
                raw[local + 14 : local + 18] = checksum
        entry = raw.find(b"PK\x01\x02", entry + 46)
    return bytes(raw)


CORPUS = Corpus(
    "torch",
    seeds,
    seal=seal,
    options={"architecture": small_graph()},
    words=(
        b"ctorch\nFloatStorage\n",
        b"cos\nsystem\n",
        b"ctorch._utils\n_rebuild_tensor_v2\n",
        b"\x8a\x08",
        b"R",
        b"Q",
        b"\x81",
        b"\x86",
        b"2",
        b"(",
        b"t",
    ),
)
