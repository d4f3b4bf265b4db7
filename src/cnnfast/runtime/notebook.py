"""Tables as HTML, for notebooks: they take their colors from the page, and everything in them is escaped."""

from __future__ import annotations

from collections.abc import Container, Sequence

MOST_ROWS = 200
"""Rows of a table; what comes behind is counted."""

CELL = "padding:.15em .8em;border:0"
FAINT = "opacity:.65"


def escape(text: str) -> str:
    """Return text as HTML has it.

    Examples
    --------
    >>> escape("<cat>")
    '&lt;cat&gt;'
    """
    # importing it takes a millisecond, of every process that predicts
    import html

    return html.escape(text)


def table(
    rows: Sequence[Sequence[object]],
    left: Container[int] = (0,),
    *,
    strong: Container[int] = (),
    shades: Sequence[Sequence[float]] | None = None,
) -> str:
    """Return a table, of which the first row is the head.

    Parameters
    ----------
    rows : sequence of rows of as many cells
        Written as text.
    left : container of int
        Numbers of the columns that begin at the left; the others end at the right.
    strong : container of int
        Numbers of the rows in bold, counted from the head.
    shades : rows of numbers from 0 to 1, optional
        How dark the background of each cell is, but for the head and the first column.

    Examples
    --------
    >>> table([["class", "images"], ["<cat>", 10]]).count("&lt;cat&gt;")
    1
    """
    head, *body = rows
    lines = [f"<tr>{''.join(_cell('th', text, i in left) for i, text in enumerate(head))}</tr>"]
    for number, row in enumerate(body[:MOST_ROWS], 1):
        tag = "th" if number in strong else "td"
        dark = () if shades is None else shades[number - 1]
        cells = (_cell(tag, text, i in left, dark[i - 1] if dark and i > 0 else 0.0) for i, text in enumerate(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    more = len(body) - MOST_ROWS
    note = f'<div style="{FAINT}">and {more:,} more rows</div>' if more > 0 else ""
    return f'<table style="border-collapse:collapse">{"".join(lines)}</table>{note}'


def _cell(tag: str, text: object, is_left: bool, shade: float = 0.0) -> str:
    color = f";background:rgba(31,111,180,{min(max(shade, 0), 1) * 0.6:.2f})" if shade > 0 else ""
    return f'<{tag} style="{CELL};text-align:{"left" if is_left else "right"}{color}">{escape(str(text))}</{tag}>'


def block(title: str, *lines: str, inside: str = "", folded: str = "") -> str:
    """Return a title, lines of text below it, and HTML behind them, open or folded under a line that unfolds it.

    Parameters
    ----------
    title, *lines : str
        Text, which is escaped.
    inside : str
        HTML.
    folded : str
        What the line says that unfolds it; "" leaves it open.

    Examples
    --------
    >>> block("A & B")
    '<div><b>A &amp; B</b></div>'
    """
    text = "".join(f'<div style="{FAINT}">{escape(line)}</div>' for line in lines)
    if folded:
        inside = f"<details><summary>{escape(folded)}</summary>{inside}</details>"
    return f"<div><b>{escape(title)}</b>{text}{inside}</div>"
