"""Damage to a file, as data: a list of edits that hypothesis can shrink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
"""Where sizes overflow."""


class Edit(NamedTuple):
    """One change at a place, given as a fraction of the length, so that it fits a file of any length."""

    kind: str
    place: float
    size: int
    content: bytes


def edits(words: Sequence[bytes]) -> st.SearchStrategy[list[Edit]]:
    """Return lists of up to four edits; ``words`` are what the format is made of."""
    numbers = [n.to_bytes(width, "little") for n in NUMBERS for width in (1, 2, 4, 8) if n < 1 << 8 * width]
    contents = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([*numbers, *words]))
    kinds = st.sampled_from(["overwrite", "insert", "delete", "repeat", "truncate", "flip"])
    one = st.builds(Edit, kinds, st.floats(0, 1, exclude_max=True), st.integers(1, 200), contents)
    return st.lists(one, min_size=1, max_size=4)


def apply(content: bytes, changes: Sequence[Edit]) -> bytes:
    """Return the damaged file.

    Examples
    --------
    >>> apply(b"abcdef", [Edit("overwrite", 0.5, 1, b"XY"), Edit("delete", 0.0, 2, b"")])
    b'cXYf'
    """
    for edit in changes:
        at = int(edit.place * len(content))
        head, tail = content[:at], content[at:]
        match edit.kind:
            case "overwrite":
                content = head + edit.content + tail[len(edit.content) :]
            case "insert":
                content = head + edit.content + tail
            case "delete":
                content = head + tail[edit.size :]
            case "repeat":
                content = head + tail[: edit.size] * 3 + tail[edit.size :]
            case "truncate":
                content = head
            case "flip" if tail:
                content = head + bytes([tail[0] ^ (1 << edit.size % 8)]) + tail[1:]
    return content
