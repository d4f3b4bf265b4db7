"""The order of paths, which results follow: the same on every system."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return paths sorted folder by folder; Windows alone would take "b" before "C".

    Examples
    --------
    >>> [path.name for path in in_order([Path("bird"), Path("Cats"), Path("ant")])]
    ['Cats', 'ant', 'bird']
    """
    return sorted(paths, key=lambda path: path.parts)
