"""One row of ``--out``, and how it is written: as CSV or as JSON.

Both are read back by ``--resume``, so every row is written in one way only, and reading it gives the same row. Both are
UTF-8, whatever the names of the files are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cnnfast._frozen import frozen
from cnnfast.runtime.escapes import as_text, from_text


class Row(NamedTuple):
    """The result for one image: values of the columns, or the reason why there are none."""

    picture: str
    cells: tuple[object, ...]
    error: str | None


class RowFormat(Protocol):
    """How rows are written."""

    def header(self) -> bytes:
        """Return what the file begins with."""
        ...

    def encode(self, row: Row) -> bytes:
        """Return the record of a row, which ends in a line end."""
        ...

    def is_whole(self, record: bytes) -> bool:
        """Return whether some lines are a whole record."""
        ...

    def decode(self, record: bytes) -> Row:
        """Return the row of a record; ValueError if it is damaged."""
        ...


@frozen
class Csv:
    """Comma-separated values, the column names in the first line."""

    columns: tuple[str, ...]

    def header(self) -> bytes:
        """Return the names of the columns."""
        return self._record(["picture", *self.columns, "error"])

    def encode(self, row: Row) -> bytes:
        """Return the record of a row."""
        cells = row.cells if row.error is None else [""] * len(self.columns)
        texts = [as_text(row.picture), *map(_csv_text, cells), as_text(row.error or "")]
        return self._record([_defused(texts[0]), *texts[1:-1], _defused(texts[-1])])

    def is_whole(self, record: bytes) -> bool:
        """Return whether the line end is outside of quotes."""
        return record.endswith(b"\n") and record.count(b'"') % 2 == 0

    def decode(self, record: bytes) -> Row:
        """Return the row of a record, its values as text."""
        (values,) = csv.reader(io.StringIO(record.decode(), newline=""), strict=True)
        picture, *cells, error = values
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(values)} values")
        return Row(from_text(as_meant(picture)), tuple(map(as_meant, cells)), from_text(as_meant(error)) or None)

    def _record(self, values: Sequence[str]) -> bytes:
        return (",".join(map(_quoted, values)) + "\n").encode()


def _csv_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return _defused(value) if isinstance(value, str) else str(value)


FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _defused(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula, and before what looks so defused already.

    Examples
    --------
    >>> [_defused(text) for text in ("=1+1.png", "'=1.png", "-5", "'apostrophe.png")]
    ["'=1+1.png", "''=1.png", '-5', "'apostrophe.png"]
    """
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def as_meant(text: str) -> str:
    """Return a cell of CSV without the apostrophe that was put before it.

    Examples
    --------
    >>> [as_meant(text) for text in ("'=1+1.png", "''=1.png", "'apostrophe.png")]
    ['=1+1.png', "'=1.png", "'apostrophe.png"]
    """
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _quoted(text: str) -> str:
    """Quote as RFC 4180 specifies; the csv module of Python 3.11 leaves a bare carriage return unquoted."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


@frozen
class Jsonl:
    """One JSON object per line."""

    columns: tuple[str, ...]

    def header(self) -> bytes:
        """Return nothing: every line names its values."""
        return b""

    def encode(self, row: Row) -> bytes:
        """Return the record of a row."""
        values = dict(zip(self.columns, row.cells, strict=True)) if row.error is None else {"error": as_text(row.error)}
        return (json.dumps({"picture": as_text(row.picture), **values}, ensure_ascii=False) + "\n").encode()

    def is_whole(self, record: bytes) -> bool:
        """Return whether the line is whole."""
        return record.endswith(b"\n")

    def decode(self, record: bytes) -> Row:
        """Return the row of a record."""
        try:
            values = json.loads(record)
            error = values.get("error")
            cells = tuple(values[column] for column in self.columns) if error is None else ()
            return Row(from_text(values["picture"]), cells, None if error is None else from_text(error))
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"lacks {error}") from None


LAYOUTS: dict[str, type[Csv] | type[Jsonl]] = {".csv": Csv, ".jsonl": Jsonl}
