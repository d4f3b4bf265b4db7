"""One picture of a contact sheet: its text and its frame."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from os import PathLike
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.images.preprocess import Array
from cnnfast.runtime.escapes import as_text


class Mark(Enum):
    """How a tile is framed: the word of the legend, and the color (of Okabe and Ito's, safe for the color-blind)."""

    FOUND = ("found", "#009e73")
    FALSE_ALARM = ("false alarm", "#d55e00")
    MISSED = ("missed", "#b0307a")
    PLAIN = ("", "#d5d9e0")

    @property
    def word(self) -> str:
        """The word of the legend."""
        return self.value[0]

    @property
    def color(self) -> str:
        """As ``#rrggbb``."""
        return self.value[1]


@frozen(eq=False)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    picture : path, or uint8 array of shape (H, W, C)
        C is 1, 3 (red, green, blue) or 4.
    name : str
        What it is called; of a path only the last part is shown.
    label : str
        What the network classified it as.
    probability : float
        How sure the network is of the label.
    found : bool
        Whether the picture is framed as found.
    wanted : bool, optional
        Whether it should have been found; None where it is unknown.
    truth : str, optional
        What it really shows, where that is known; shown instead of the name.
    """

    picture: str | PathLike[str] | Array
    name: str
    label: str
    probability: float
    found: bool = False
    wanted: bool | None = None
    truth: str | None = None

    @property
    def mark(self) -> Mark:
        """How the tile is framed."""
        if self.found:
            return Mark.FALSE_ALARM if self.wanted is False else Mark.FOUND
        return Mark.MISSED if self.wanted else Mark.PLAIN

    @property
    def caption(self) -> str:
        """The small line below the label."""
        return as_text(Path(self.name).name) if self.truth is None else f"truth: {self.truth}"

    @property
    def is_wrong(self) -> bool:
        """Whether the label is known to be wrong."""
        return self.truth is not None and self.truth != self.label


def marks_in_use(tiles: Sequence[Tile]) -> list[Mark]:
    """Return the marks that a legend of these tiles has to explain."""
    used = {tile.mark for tile in tiles}
    return [mark for mark in Mark if mark in used and mark is not Mark.PLAIN]
