"""The reliability diagram: how often the most probable class is right, against its probability; as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

SIDE, LEFT, TOP, BOTTOM = 300, 58, 46, 92
"""Of the square plot, in pixels, and the room around it."""

COUNTS = 44
"""Height of the bars that show how many images each bin has."""

INK, FAINT, PAPER, RULE, RIGHT, SAID, COUNT = "ink", "faint", "paper", "rule", "right", "said", "count"
"""What is drawn alike."""

DAY = {
    INK: "#1c2330",
    FAINT: "#6b7484",
    PAPER: "#fff",
    RULE: "#e3e7ed",
    RIGHT: "#1f6fb4",
    SAID: "#d95f02",
    COUNT: "#98a2b3",
}
NIGHT = {
    INK: "#e8ebf0",
    FAINT: "#98a2b3",
    PAPER: "#15181d",
    RULE: "#343b47",
    RIGHT: "#4a94d6",
    SAID: "#f08a3c",
    COUNT: "#6b7484",
}
"""Colors, as those of the page that may hold the diagram."""


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
        parts.append(_line(_x(0), _y(share), _x(1), _y(share), RULE))
        parts.append(_text(LEFT - 8, _y(share) + 4, f"{share:.0%}", FAINT, 11, anchor="end"))
        parts.append(_text(_x(share), TOP + SIDE + 16, f"{share:.0%}", FAINT, 11, anchor="middle"))
    floor = TOP + SIDE + 26 + COUNTS
    for row in bins:
        left, wide = _x(row["above"]) + 1, _x(row["to"]) - _x(row["above"]) - 2
        what = f"{row['images']:,} images: {row['confidence']:.1%} said, {row['accuracy']:.1%} right"
        parts.append(_bar(left, _y(row["accuracy"]), wide, _y(0) - _y(row["accuracy"]), RIGHT, what))
        tall = COUNTS * row["images"] / most
        parts.append(_bar(left, floor - tall, wide, tall, COUNT, what))
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), INK, dashes="5 4"))
    parts += [
        f'<circle cx="{_x(row["confidence"]):.1f}" cy="{_y(row["accuracy"]):.1f}" r="4" '
        f'class="{SAID}" stroke-width="1.5"/>'
        for row in bins
    ]
    parts.append(
        _text(LEFT + SIDE / 2, floor + 17, "probability of the label; gray: number of images", FAINT, 12, "middle")
    )
    middle = TOP + SIDE / 2
    parts.append(
        f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, "share that is right", FAINT, 12, "middle")}</g>'
    )
    label = escape(f"{title}: {about}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{label}" class="reliability" font-family="system-ui, sans-serif">'
        f"<style>{_rules(DAY)}\n@media (prefers-color-scheme: dark) {{\n{_rules(NIGHT)}\n}}</style>"
        f'<rect width="100%" height="100%" class="{PAPER}"/>{"".join(parts)}</svg>'
    )


def _rules(colors: Mapping[str, str]) -> str:
    """Return how everything is drawn; classes, because few programs but browsers know variables in SVG."""
    lines = [f".reliability .{kind} {{ fill: {color} }}" for kind, color in colors.items()]
    lines += [f".reliability line.{kind} {{ stroke: {colors[kind]} }}" for kind in (INK, RULE)]
    return "\n".join([*lines, f".reliability circle {{ stroke: {colors[PAPER]} }}"])


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)


def _text(x: float, y: float, text: str, kind: str, size: int, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, kind: str, dashes: str = "none") -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} class="{kind}" stroke-dasharray="{dashes}"/>'


def _bar(x: float, y: float, width: float, height: float, kind: str, what: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}">'
        f"<title>{escape(what)}</title></rect>"
    )
