"""The text files of CS61C; the one that is damaged is that of the dense layer, the shortest."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from formats.test_cs61c import write_snapshot
from fuzz.corpora import Corpus

DAMAGED = "layer10_fc.txt"


@functools.cache
def snapshot() -> dict[str, bytes]:
    """Return the files of a network of random weights."""
    with tempfile.TemporaryDirectory() as folder:
        write_snapshot(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def place(folder: Path, content: bytes) -> Path:
    """Write the network with one file of its own."""
    for name, intact in snapshot().items():
        if name == DAMAGED or not (folder / name).exists():
            (folder / name).write_bytes(content if name == DAMAGED else intact)
    return folder


CORPUS = Corpus(
    "cs61c",
    lambda: [snapshot()[DAMAGED]],
    place=place,
    words=(b"320 10\n", b"99999999 99999999\n", b"nan", b"inf", b"1e999", b"0x10", b"\xff", b"1_0"),
)
