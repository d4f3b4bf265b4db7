"""How all tables are printed: columns as wide as their widest cell, two spaces between them."""

from __future__ import annotations

from collections.abc import Container, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Container[int] = (0,)) -> list[str]:
    """Return the lines of a table.

    Parameters
    ----------
    rows : sequence of rows of as many cells
    left : container of int
        Numbers of the columns that begin at the left; the others end at the right.

    Examples
    --------
    >>> print(*aligned([["class", "images"], ["cat", "10"]]), sep="\\n")
    class  images
    cat        10
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cell(row[i], width, i in left) for i, width in enumerate(widths)).rstrip() for row in rows]


def _cell(text: str, width: int, is_left: bool) -> str:
    return text.ljust(width) if is_left else text.rjust(width)
