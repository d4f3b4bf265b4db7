"""The file of ``--out``: a row an image, in order, so that a run can be interrupted anywhere and resumed.

Rows hold nothing that differs from run to run, so a resumed file equals that of an undisturbed run byte for byte. What
the rows depend on (network, command, options) stands beside them in ``FILE.run.json``, and must agree to resume.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, Self

from cnnfast.errors import ConfigError

INFORMATIVE = ("model",)
"""Settings that are written for people and not compared: the same network may be named in two ways."""


class Row(NamedTuple):
    """What is said about one image: values of the columns, or the reason why there are none."""

    picture: str
    cells: tuple[object, ...]
    error: str | None


class Layout(Protocol):
    """How rows are written."""

    def header(self) -> bytes:
        """Return what the file begins with."""
        ...

    def encode(self, row: Row) -> bytes:
        """Return the record of a row, which ends in a line end."""
        ...

    def is_whole(self, record: bytes) -> bool:
        """Tell whether some lines are a whole record."""
        ...

    def decode(self, record: bytes) -> Row:
        """Return the row of a record; ValueError if it is damaged."""
        ...


@dataclass(frozen=True)
class Csv:
    """Comma-separated values, the column names in the first line."""

    columns: tuple[str, ...]

    def header(self) -> bytes:
        """Return the names of the columns."""
        return self._record(["picture", *self.columns, "error"])

    def encode(self, row: Row) -> bytes:
        """Return the record of a row."""
        cells = row.cells if row.error is None else [""] * len(self.columns)
        return self._record([row.picture, *map(_csv_text, cells), row.error or ""])

    def is_whole(self, record: bytes) -> bool:
        """Tell whether the line end is outside of quotes."""
        return record.endswith(b"\n") and record.count(b'"') % 2 == 0

    def decode(self, record: bytes) -> Row:
        """Return the row of a record, its values as text."""
        text = record.decode("utf-8", "surrogateescape")
        (values,) = csv.reader(io.StringIO(text, newline=""), strict=True)
        picture, *cells, error = values
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(values)} values")
        return Row(picture, tuple(cells), error or None)

    def _record(self, values: Sequence[str]) -> bytes:
        return (",".join(map(_quoted, values)) + "\n").encode("utf-8", "surrogateescape")


def _csv_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    """Quote as RFC 4180 says; the csv module of Python 3.11 leaves a bare carriage return unquoted."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


@dataclass(frozen=True)
class Jsonl:
    """One JSON object a line."""

    columns: tuple[str, ...]

    def header(self) -> bytes:
        """Return nothing: every line names its values."""
        return b""

    def encode(self, row: Row) -> bytes:
        """Return the record of a row."""
        values = dict(zip(self.columns, row.cells, strict=True)) if row.error is None else {"error": row.error}
        record = {"picture": row.picture, **values}
        try:
            return (json.dumps(record, ensure_ascii=False) + "\n").encode()
        except UnicodeEncodeError:  # The name of the file is no text.
            return (json.dumps(record) + "\n").encode()

    def is_whole(self, record: bytes) -> bool:
        """Tell whether the line is whole."""
        return record.endswith(b"\n")

    def decode(self, record: bytes) -> Row:
        """Return the row of a record."""
        try:
            values = json.loads(record)
            error = values.get("error")
            cells = tuple(values[column] for column in self.columns) if error is None else ()
            return Row(values["picture"], cells, error)
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"lacks {error}") from None


LAYOUTS: dict[str, type[Csv] | type[Jsonl]] = {".csv": Csv, ".jsonl": Jsonl}


class RowFile:
    """A file of rows that is being written.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Besides ``picture`` and ``error``.
    settings : mapping
        What the rows depend on.
    resume, force : bool
        What to do with an existing file; it is refused if neither is asked for.

    Raises
    ------
    ConfigError
        If the suffix is unknown, or the existing file is refused or was written with other settings.
    """

    def __init__(
        self, path: Path, columns: tuple[str, ...], settings: Mapping[str, object], resume: bool, force: bool
    ) -> None:
        layout = LAYOUTS.get(path.suffix.lower())
        if layout is None:
            raise ConfigError(f"{path}: rows are written as {' or '.join(LAYOUTS)}; name a file that ends so")
        self.path = path
        self._sidecar = path.with_name(path.name + ".run.json")
        self._layout: Layout = layout(columns)
        self._settings = settings
        self._file: BinaryIO | None = None
        if path.exists() and not (resume or force):
            raise ConfigError(f"{path}: exists already; say --resume to go on with it, or --force to start it afresh")
        self._continues = resume and path.exists()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def earlier(self) -> Iterator[Row]:
        """Yield the rows that an interrupted run has written.

        Raises
        ------
        ConfigError
            If they were written with other settings, or are damaged.
        """
        if not self._continues:
            return
        self._check_settings()
        end = 0
        for number, record in enumerate(self._whole_records()):
            if number > 0 or not self._layout.header():
                yield self._decoded(record, number)
            elif record != self._layout.header():
                raise ConfigError(
                    f"{self.path}: its first line is {record[:80]!r}, but rows of this run begin with "
                    f"{self._layout.header()!r}; start afresh with --force"
                )
            end += len(record)
        # A row that a kill has torn in the middle is written again.
        os.truncate(self.path, end)
        self._continues = end > 0

    def start(self) -> None:
        """Open the file for `write`, after the rows of `earlier`."""
        if self._continues:
            self._file = self.path.open("ab")
            return
        # In this order: rows must never stand beside the settings of another run, whenever a kill comes.
        self.path.unlink(missing_ok=True)
        _write_whole(self._sidecar, json.dumps(self._settings, indent=2, ensure_ascii=False) + "\n")
        self._file = self.path.open("wb")
        self._file.write(self._layout.header())
        self._file.flush()

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows and hand them to the operating system, so that a kill does not lose them."""
        assert self._file is not None
        self._file.write(b"".join(map(self._layout.encode, rows)))
        self._file.flush()

    def _whole_records(self) -> Iterator[bytes]:
        record = b""
        with self.path.open("rb") as file:
            for line in file:
                record += line
                if self._layout.is_whole(record):
                    yield record
                    record = b""

    def _decoded(self, record: bytes, number: int) -> Row:
        try:
            return self._layout.decode(record)
        except (ValueError, csv.Error) as error:
            raise ConfigError(
                f"{self.path}: record {number + 1} is damaged ({error}): {record[:80]!r}; start afresh with --force"
            ) from None

    def _check_settings(self) -> None:
        try:
            earlier = json.loads(self._sidecar.read_text("utf-8"))
        except (OSError, ValueError):
            raise ConfigError(
                f"{self.path}: cannot be resumed, because {self._sidecar.name}, which says how it was made, is missing "
                "or damaged; start afresh with --force"
            ) from None
        now = json.loads(json.dumps(self._settings))
        different = [key for key in {**now, **earlier} if now.get(key) != earlier.get(key) and key not in INFORMATIVE]
        if different:
            key = different[0]
            raise ConfigError(
                f"{self.path}: cannot be resumed, because it was made with {key} = {earlier.get(key)!r}, and now "
                f"{key} = {now.get(key)!r}; use the same options, or start afresh with --force"
            )


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, "utf-8")
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()
