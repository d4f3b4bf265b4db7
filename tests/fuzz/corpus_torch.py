"""State dicts of PyTorch, in the zip archive and in the stream before it."""

from __future__ import annotations

import io
import zlib

from formats.weights.small import small_graph, small_state
from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return the same weights in both containers."""
    import torch

    state = {name: torch.from_numpy(array) for name, array in small_state().items()}
    files = []
    for is_zip in (True, False):
        stream = io.BytesIO()
        torch.save({"state_dict": state, "epoch": 3}, stream, _use_new_zipfile_serialization=is_zip)
        files.append(stream.getvalue())
    return files


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
        b"(",
        b"t",
    ),
    needs=("torch",),
)
