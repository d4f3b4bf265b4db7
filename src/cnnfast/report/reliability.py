"""The reliability diagram: how often the most probable class is right, against its probability; as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cnnfast.runtime.outputs import replacing

SIDE, LEFT, TOP, BOTTOM = 300, 58, 46, 92
"""Of the square plot, in pixels, and the room around it."""

COUNTS = 44
"""Height of the bars that show how many images each bin has."""

INK, FAINT, BLUE, ORANGE = "#1c2330", "#6b7484", "#1f6fb4", "#d95f02"


def diagram(bins: Sequence[Mapping[str, Any]], title: str, about: str) -> str:
    """Return the diagram: bars of the share that is right, a line where both are equal, and the images per bin below.

    Parameters
    ----------
    bins : sequence of mapping
        With ``above``, ``to``, ``images``, ``confidence`` and ``accuracy``.
    title, about : str
        Lines above it.

    Examples
    --------
    >>> one = {"above": 0.9, "to": 1.0, "images": 10, "confidence": 0.95, "accuracy": 0.8}
    >>> diagram([one], "A network", "a line")[:4]
    '<svg'
    """
    width, height = LEFT + SIDE + 20, TOP + SIDE + BOTTOM
    most = max((row["images"] for row in bins), default=1)
    parts = [_text(LEFT, 18, title, INK, 14, weight=600), _text(LEFT, 35, about, FAINT, 12)]
    for tick in range(0, 11, 2):
        share = tick / 10
        parts.append(_line(_x(0), _y(share), _x(1), _y(share), "#e3e7ed"))
        parts.append(_text(LEFT - 8, _y(share) + 4, f"{share:.0%}", FAINT, 11, anchor="end"))
        parts.append(_text(_x(share), TOP + SIDE + 16, f"{share:.0%}", FAINT, 11, anchor="middle"))
    floor = TOP + SIDE + 26 + COUNTS
    for row in bins:
        left, wide = _x(row["above"]) + 1, _x(row["to"]) - _x(row["above"]) - 2
        what = f"{row['images']:,} images: {row['confidence']:.1%} said, {row['accuracy']:.1%} right"
        parts.append(_bar(left, _y(row["accuracy"]), wide, _y(0) - _y(row["accuracy"]), BLUE, what))
        tall = COUNTS * row["images"] / most
        parts.append(_bar(left, floor - tall, wide, tall, "#98a2b3", what))
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), INK, dashes="5 4"))
    parts += [
        f'<circle cx="{_x(row["confidence"]):.1f}" cy="{_y(row["accuracy"]):.1f}" r="4" fill="{ORANGE}" '
        'stroke="#fff" stroke-width="1.5"/>'
        for row in bins
    ]
    parts.append(
        _text(LEFT + SIDE / 2, floor + 17, "probability of the label; gray: number of images", FAINT, 12, "middle")
    )
    middle = TOP + SIDE / 2
    parts.append(
        f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, "share that is right", FAINT, 12, "middle")}</g>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )


def write_diagram(path: Path, bins: Sequence[Mapping[str, Any]], title: str, about: str) -> None:
    """Write the diagram as a file."""
    with replacing(path) as file:
        file.write(diagram(bins, title, about).encode())


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)


def _text(x: float, y: float, text: str, color: str, size: int, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, color: str, dashes: str = "none") -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-dasharray="{dashes}"/>'


def _bar(x: float, y: float, width: float, height: float, color: str, what: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}">'
        f"<title>{escape(what)}</title></rect>"
    )
