"""A contact sheet as one HTML page that holds its pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from cnnfast.report.thumbnail import thumbnail
from cnnfast.report.tile import Mark, Tile, marks_in_use

SIDE = 160

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --faint: #6b7484; --track: #e3e7ed }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf0; --paper: #15181d; --faint: #98a2b3; --track: #343b47 }
}
body { margin: 2rem; font: 16px/1.35 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0 0 .4rem }
.legend { color: var(--faint); margin: 0 0 1.4rem; display: flex; gap: 1.6rem }
.legend i { display: inline-block; width: .9em; height: .9em; border-radius: 3px; margin-right: .5em;
  vertical-align: -.08em; background: var(--mark) }
.figure { margin: 0 0 1.4rem }
main { display: grid; grid-template-columns: repeat(auto-fill, 170px); gap: 1rem }
figure { margin: 0; width: 170px }
figure img { display: block; width: 160px; height: 160px; border: 5px solid var(--mark); border-radius: 4px;
  image-rendering: pixelated }
figure.plain img { border-color: transparent; outline: 1px solid var(--track); outline-offset: -5px }
figure b { position: absolute; background: var(--mark); color: #fff; font-size: .8rem; font-weight: 500;
  padding: .1rem .45rem; border-radius: 4px }
figcaption { padding: .2rem 5px 0 }
figcaption div { display: flex; justify-content: space-between }
progress { display: block; width: 100%; height: 6px; border: 0; border-radius: 3px; overflow: hidden;
  appearance: none; background: var(--track) }
progress::-webkit-progress-bar { background: var(--track) }
progress::-webkit-progress-value { background: var(--mark) }
progress::-moz-progress-bar { background: var(--mark) }
small { display: block; color: var(--faint); overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
small.wrong { color: #d55e00 }
"""


def page(tiles: Sequence[Tile], title: str, link: tuple[str, str] | None = None, figure: str = "") -> str:
    """Return the page; a link is an address and its text, a figure the SVG that comes first."""
    further = "" if link is None else f'<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>\n'
    drawn = figure and f'<div class="figure">{figure}</div>\n'
    legend = "".join(_legend_entry(mark, tiles) for mark in marks_in_use(tiles))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        f'<h1>{escape(title)}</h1>\n<p class="legend">{legend}</p>\n{further}{drawn}<main>\n'
        f"{''.join(map(_figure, tiles))}</main>\n</html>\n"
    )


def _legend_entry(mark: Mark, tiles: Sequence[Tile]) -> str:
    count = sum(tile.mark is mark for tile in tiles)
    return f'<span><i style="--mark: {mark.color}"></i>{mark.word} ({count})</span>'


def _figure(tile: Tile) -> str:
    mark = tile.mark
    badge = f"<b>{mark.word}</b>" if mark in (Mark.MISSED, Mark.FALSE_ALARM) else ""
    kind = ' class="plain"' if mark is Mark.PLAIN else ""
    wrong = ' class="wrong"' if tile.is_wrong else ""
    color = "#8d97a8" if mark is Mark.PLAIN else mark.color
    return (
        f'<figure{kind} style="--mark: {color}" title="{escape(tile.name)}">{badge}'
        f'<img alt="" src="data:image/png;base64,{_encoded(tile)}"><figcaption>'
        f"<div><span>{escape(tile.label)}</span><span>{tile.probability:.1%}</span></div>"
        f'<progress max="1" value="{tile.probability:.4f}"></progress>'
        f"<small{wrong}>{escape(tile.caption)}</small></figcaption></figure>\n"
    )


def _encoded(tile: Tile) -> str:
    file = io.BytesIO()
    thumbnail(tile, SIDE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
