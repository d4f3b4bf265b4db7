"""Snapshots of CS61C in which some lines say what a stranger might write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fuzz.corpora import corpora

ODD_LINES = (
    *(b"", b"1 1", b"320 10 1", b"1e400", b"nan", b"-1 5", b"0 0", b"320 9", b"999999999 999999999", b"\xff\xfe"),
    *(b"0x10", b"1_000", b"320\t10", b"320 10 ", b"1 2 3", b"9" * 5000),
)


def random_file(rng: np.random.Generator) -> bytes:
    """Return the file of one layer, in which up to three lines are odd."""
    lines = corpora()["cs61c"].seeds()[0].split(b"\n")
    for place in rng.integers(len(lines), size=rng.integers(0, 3)):
        lines[place] = ODD_LINES[int(rng.integers(len(ODD_LINES)))]
    if rng.random() < 0.5:
        lines[0] = ODD_LINES[int(rng.integers(len(ODD_LINES)))]
    return b"\n".join(lines)


def place(folder: Path, content: bytes) -> Path:
    """Put the file among those of the other layers, and return what is loaded."""
    return corpora()["cs61c"].place(folder, content)
