"""A contact sheet: pictures in a grid, each with what the network says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from os import PathLike
from pathlib import Path

from cnnfast.errors import ConfigError
from cnnfast.preprocess import Array


class Mark(Enum):
    """How a tile is framed: the word of the legend, and the colour (those of Okabe and Ito, for every kind of eye)."""

    FOUND = ("found", "#009e73")
    FALSE_ALARM = ("false alarm", "#d55e00")
    MISSED = ("missed", "#b0307a")
    PLAIN = ("", "#d5d9e0")

    @property
    def word(self) -> str:
        """The word of the legend."""
        return self.value[0]

    @property
    def colour(self) -> str:
        """As ``#rrggbb``."""
        return self.value[1]


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    picture : path, or uint8 array of shape (H, W, C)
        C is 1, 3 (red, green, blue) or 4.
    name : str
        What it is called; of a path only the last part is shown.
    label : str
        What the network takes it for.
    probability : float
        How sure the network is of the label.
    found : bool
        Whether the picture is framed as found.
    wanted : bool, optional
        Whether it should have been found; None where nobody knows.
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
        return Path(self.name).name if self.truth is None else f"truth: {self.truth}"

    @property
    def is_wrong(self) -> bool:
        """Whether the label is known to be wrong."""
        return self.truth is not None and self.truth != self.label


SUFFIXES = (".png", ".html")


def contact_sheet(tiles: Sequence[Tile], path: str | PathLike[str], title: str = "") -> None:
    """Write a sheet of pictures: a PNG, or an HTML page with the pictures inside, as the suffix says.

    Parameters
    ----------
    tiles : sequence of Tile
        In the order of the sheet; a picture that cannot be read any more is drawn as an empty tile.
    path : path
        Ends in ``.png`` or ``.html``.
    title : str, optional

    Raises
    ------
    ConfigError
        For another suffix.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> red = np.full((32, 32, 3), (200, 30, 30), np.uint8)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sheet.png"
    >>> contact_sheet([Tile(red, "red.png", "cat", 0.93, found=True)], path, "One cat")
    >>> path.read_bytes()[:4]
    b'\\x89PNG'
    """
    path = check_suffix(path)
    # Imported here, so that the command line can check a suffix without loading Pillow.
    if path.suffix.lower() == ".png":
        from cnnfast.report.png import draw

        draw(tiles, title).save(path, "PNG", optimize=True)
    else:
        from cnnfast.report.html import page

        path.write_text(page(tiles, title), "utf-8", errors="backslashreplace")


def check_suffix(path: str | PathLike[str]) -> Path:
    """Return the path of a sheet, or raise `ConfigError` if its suffix is not one of `SUFFIXES`."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a report is written as {' or '.join(SUFFIXES)}; name a file that ends so")
    return path


def marks_in_use(tiles: Sequence[Tile]) -> list[Mark]:
    """Return the marks that a legend of these tiles has to explain."""
    used = {tile.mark for tile in tiles}
    return [mark for mark in Mark if mark in used and mark is not Mark.PLAIN]
