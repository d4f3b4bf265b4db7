"""A contact sheet as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from cnnfast.report.thumbnail import thumbnail
from cnnfast.report.tile import Mark, Tile, marks_in_use

if TYPE_CHECKING:
    from PIL import Image, ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SIDE = 160
FRAME = 5
GAP = 14
MARGIN = 28
HEADER = 64
CAPTION = 58
MAX_COLUMNS = 8

CELL_WIDTH = SIDE + 2 * FRAME
CELL_HEIGHT = SIDE + 2 * FRAME + CAPTION

PAPER, INK, FAINT, TRACK = "#ffffff", "#1c2330", "#6b7484", "#e3e7ed"


def draw(tiles: Sequence[Tile], title: str) -> Image.Image:
    """Return the sheet."""
    from PIL import Image, ImageDraw

    columns = _columns(len(tiles))
    rows = math.ceil(len(tiles) / columns)
    width = 2 * MARGIN + columns * (CELL_WIDTH + GAP) - GAP
    width = max(width, 2 * MARGIN + round(_font(22).getlength(title)))
    legend = marks_in_use(tiles)
    top = MARGIN + HEADER + (24 if legend else 0)
    sheet = Image.new("RGB", (width, top + rows * (CELL_HEIGHT + GAP) - GAP + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, _font(22))
    _draw_legend(pen, legend, tiles)
    for i, tile in enumerate(tiles):
        x = MARGIN + i % columns * (CELL_WIDTH + GAP)
        y = top + i // columns * (CELL_HEIGHT + GAP)
        _draw_tile(sheet, pen, tile, x, y)
    return sheet


def _columns(count: int) -> int:
    """Return how many columns make a sheet a little wider than high, as screens are."""
    return max(1, min(MAX_COLUMNS, math.ceil(math.sqrt(count * 1.6))))


def _draw_legend(pen: ImageDraw.ImageDraw, legend: Sequence[Mark], tiles: Sequence[Tile]) -> None:
    x, y = MARGIN, MARGIN + 42
    for mark in legend:
        text = f"{mark.word} ({sum(tile.mark is mark for tile in tiles)})"
        pen.rounded_rectangle((x, y + 1, x + 14, y + 15), 3, fill=mark.color)
        pen.text((x + 22, y - 1), text, FAINT, _font(15))
        x += 22 + round(_font(15).getlength(text)) + 26


def _draw_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int) -> None:
    color = tile.mark.color
    if tile.mark is Mark.PLAIN:
        inset = FRAME - 1
        pen.rectangle((x + inset, y + inset, x + CELL_WIDTH - inset - 1, y + CELL_WIDTH - inset - 1), fill=color)
    else:
        pen.rounded_rectangle((x, y, x + CELL_WIDTH - 1, y + CELL_WIDTH - 1), 4, fill=color)
    sheet.paste(thumbnail(tile, SIDE), (x + FRAME, y + FRAME))
    if tile.mark in (Mark.MISSED, Mark.FALSE_ALARM):
        _draw_badge(pen, tile.mark, x, y)
    _draw_caption(pen, tile, x + FRAME, y + CELL_WIDTH + 5)


def _draw_badge(pen: ImageDraw.ImageDraw, mark: Mark, x: int, y: int) -> None:
    width = round(_font(13).getlength(mark.word)) + 14
    pen.rounded_rectangle((x, y, x + width, y + 21), 4, fill=mark.color)
    pen.text((x + 7, y + 3), mark.word, PAPER, _font(13))


def _draw_caption(pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int) -> None:
    percent = f"{tile.probability:.1%}"
    space = SIDE - _font(16).getlength(percent) - 8
    pen.text((x, y), _shortened(tile.label, space, 16), INK, _font(16))
    pen.text((x + SIDE, y), percent, INK, _font(16), anchor="ra")
    bar = y + 23
    pen.rounded_rectangle((x, bar, x + SIDE - 1, bar + 5), 2, fill=TRACK)
    length = round(min(max(tile.probability, 0), 1) * (SIDE - 1))
    if length >= 2:
        pen.rounded_rectangle((x, bar, x + length, bar + 5), 2, fill=_bar_color(tile))
    pen.text((x, bar + 10), _shortened(tile.caption, SIDE, 13), _caption_color(tile), _font(13))


def _caption_color(tile: Tile) -> str:
    return Mark.FALSE_ALARM.color if tile.is_wrong else FAINT


def _bar_color(tile: Tile) -> str:
    return "#8d97a8" if tile.mark is Mark.PLAIN else tile.mark.color


def _shortened(text: str, width: float, size: int) -> str:
    """Cut out the middle of a text that is too wide; names tend to differ at their ends."""
    text = text.replace("\n", " ")
    if _font(size).getlength(text) <= width:
        return text
    for length in range(min(len(text), 80) - 1, 1, -1):
        head = length // 2
        short = f"{text[:head]}…{text[len(text) - (length - head) :]}"
        if _font(size).getlength(short) <= width:
            return short
    return "…"


@cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
