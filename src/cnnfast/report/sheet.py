"""A contact sheet: pictures in a grid, each with the network's answer."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from cnnfast.errors import ConfigError
from cnnfast.report.tile import Tile
from cnnfast.runtime.outputs import file_behind, replacing

SUFFIXES = (".png", ".html")


def contact_sheet(
    tiles: Sequence[Tile],
    path: str | PathLike[str],
    title: str = "",
    link: tuple[str, str] | None = None,
    figure: str = "",
) -> None:
    """Write a sheet of pictures: a PNG, or an HTML page with the pictures inside, depending on the suffix.

    Parameters
    ----------
    tiles : sequence of Tile
        In the order of the sheet; a picture that can no longer be read is drawn as an empty tile.
    path : path
        Ends in ``.png`` or ``.html``.
    title : str, optional
    link : (str, str), optional
        An address and its text, for an HTML page.
    figure : str, optional
        An SVG, for an HTML page.

    Raises
    ------
    ConfigError
        For another suffix.
    OutputError
        If there is no such folder.

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
    path = check_sheet(path)
    # Imported here, so that the command line can check a suffix without loading Pillow.
    if path.suffix.lower() == ".png":
        from cnnfast.report.png import draw

        sheet = draw(tiles, title)
        with replacing(path) as file:
            sheet.save(file, "PNG", optimize=True)
    else:
        from cnnfast.report.html import page

        text = page(tiles, title, link, figure).encode("utf-8", "backslashreplace")
        with replacing(path) as file:
            file.write(text)


def check_sheet(path: str | PathLike[str]) -> Path:
    """Return the path of a sheet, if one can be written there.

    Raises
    ------
    ConfigError
        If its suffix is not one of `SUFFIXES`.
    OutputError
        If there is no such folder.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a report is written as {' or '.join(SUFFIXES)}; name a file that ends so")
    file_behind(path)
    return path
