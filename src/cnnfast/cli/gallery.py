"""The contact sheet of ``--report``."""

from __future__ import annotations

import heapq
import os
from pathlib import Path

import numpy as np

from cnnfast.report.sheet import check_sheet, contact_sheet
from cnnfast.report.tile import Tile
from cnnfast.review.page import source_of

MAX_TILES = 96
"""More are not looked at, and memory must stay constant."""


class Gallery:
    """Collects the `MAX_TILES` most telling pictures of a run.

    Parameters
    ----------
    path : Path
        The sheet to write.

    Raises
    ------
    ConfigError
        If its suffix is unknown.
    """

    def __init__(self, path: Path) -> None:
        self._path = check_sheet(path)
        self._heap: list[tuple[float, int, Tile]] = []
        self._seen = 0

    def add(self, tile: Tile) -> None:
        """Offer a picture; the most confident ones are kept."""
        if isinstance(tile.picture, np.ndarray) and tile.picture.dtype != np.uint8:
            return
        # The number decides between equals, so that tiles are never compared: the earlier picture stays.
        entry = (tile.probability, -self._seen, tile)
        self._seen += 1
        if len(self._heap) < MAX_TILES:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def write(self, title: str, review: Path | None = None, figure: str = "") -> str:
        """Draw the sheet, the most confident picture first, and return a line about it.

        A page may link to another, and begin with a figure.
        """
        tiles = [tile for _, _, tile in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
        shown = f"; the {len(tiles)} most confident of {self._seen:,} are shown" if self._seen > len(tiles) else ""
        link = None if review is None else (source_of(review, _folder(self._path)), "look at the doubtful ones")
        contact_sheet(tiles, self._path, title + shown, link, figure)
        return f"contact sheet: {self._path}{shown}"


def _folder(path: Path) -> Path:
    return Path(os.path.realpath(path)).parent
