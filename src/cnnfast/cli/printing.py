"""What ``find`` and ``classify`` print on stdout for each image: a line of text, a line of JSON, or nothing."""

from __future__ import annotations

import argparse

from cnnfast.cli.records import Jsonl, Row
from cnnfast.cli.rows_out import STDOUT
from cnnfast.runtime.escapes import in_line


class Printer:
    """Makes the lines.

    Parameters
    ----------
    args : Namespace
        With ``json``, ``quiet`` and ``out``.
    columns : tuple of str
        Those of the rows.
    """

    def __init__(self, args: argparse.Namespace, columns: tuple[str, ...]) -> None:
        self._json = Jsonl(columns) if args.json else None
        self._silent = args.quiet or args.out == STDOUT

    def line(self, row: Row, text: str | None) -> str | None:
        """Return what to print for a row whose ``text`` is worth printing; JSON also says why there is no result."""
        if self._silent or (text is None and (self._json is None or row.error is None)):
            return None
        if self._json is not None:
            return self._json.encode(row).decode().removesuffix("\n")
        return f"{text}\t{in_line(row.picture)}"
