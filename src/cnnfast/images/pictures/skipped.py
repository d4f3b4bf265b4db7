"""What a search for pictures has passed by, counted by suffix: nothing is left out in silence."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from cnnfast.errors import DataError
from cnnfast.images.pictures.kinds import EXTRAS, picture_suffixes

MOST = 12
"""Suffixes that are named, the most frequent first."""

NO_SUFFIX, HIDDEN = "without a suffix", "hidden"


class Skipped:
    """Counts the files of the folders searched that are not taken for pictures.

    Examples
    --------
    >>> skipped = Skipped()
    >>> for name in (".txt", ".txt", ".xml"):
    ...     skipped.add(name)
    >>> skipped.lines()
    ['3 files not read: 2 .txt, 1 .xml']
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str) -> None:
        """Count a file by its suffix, or as `NO_SUFFIX` or `HIDDEN`."""
        self.counts[kind] += 1

    def add_others(self, folder: Path) -> None:
        """Count the files of a folder itself, whose sub-folders are searched one by one."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    self.add(HIDDEN)
                elif not entry.is_dir():
                    self.add(Path(entry.name).suffix.lower() or NO_SUFFIX)

    def lines(self) -> list[str]:
        """Return what to say about them: how many of which kind, and what would read them."""
        total = self.counts.total()
        if not total:
            return []
        ranked = sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))
        named = [f"{count:,} {kind}" for kind, count in ranked[:MOST]]
        rest = sum(count for _, count in ranked[MOST:])
        if rest:
            named.append(f"{rest:,} of other kinds")
        line = f"{total:,} file{'s'[: total > 1]} not read: {', '.join(named)}"
        return [line + "".join(f"; {advice}" for advice in self.advice())]

    def advice(self) -> list[str]:
        """Return what to install, or to ask for, so that some of them are read."""
        found = []
        for extra in EXTRAS:
            here = sorted(suffix for suffix in self.counts if suffix in extra.suffixes)
            if here and (advice := extra.advice(here)):
                found.append(advice)
        return found


def no_picture(where: str, skipped: Skipped, inside: str = "") -> DataError:
    """Return the error for a search that has found nothing to read, perhaps inside of certain folders."""
    said = skipped.lines()
    known = "files with these suffixes are read: " + " ".join(sorted(picture_suffixes()))
    return DataError(f"{where}: holds no picture{inside}; {said[0] if said else known}")
