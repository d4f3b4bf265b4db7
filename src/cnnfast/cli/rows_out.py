"""Where the rows of ``--out`` go: a file, or with ``-`` the standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from cnnfast.cli import camtrap, megadetector, parquet_rows
from cnnfast.cli.converted import Convert, Converted
from cnnfast.cli.records import Csv, Jsonl, Row, RowFormat
from cnnfast.cli.results_file import RowFile
from cnnfast.errors import ConfigError
from cnnfast.runtime.escapes import as_text

STDOUT = Path("-")
FORMATS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "megadetector": ".json", "camtrap-dp": ".csv"}
"""What ``--format`` offers, each with its suffix; the first of a suffix is that of files that are called so."""


class RowSink(Protocol):
    """Takes rows."""

    @property
    def path(self) -> Path:
        """What the user has named."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def earlier(self) -> Iterator[Row]:
        """Yield the rows that an interrupted run has written."""
        ...

    def start(self) -> None:
        """Get ready to `write`."""
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows where no kill loses them."""
        ...

    def finish(self) -> None:
        """Complete what was written, once all rows are."""
        ...


class StandardOut:
    """Rows on the standard output.

    Parameters
    ----------
    layout : RowFormat
    """

    path = STDOUT

    def __init__(self, layout: RowFormat) -> None:
        self._layout = layout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def earlier(self) -> Iterator[Row]:
        """Yield nothing: what was printed cannot be read back."""
        return iter(())

    def start(self) -> None:
        """Print the header."""
        self._print(self._layout.header())

    def write(self, rows: Sequence[Row]) -> None:
        """Print rows."""
        self._print(b"".join(map(self._layout.encode, rows)))

    def finish(self) -> None:
        """Do nothing."""

    def _print(self, content: bytes) -> None:
        sys.stdout.write(content.decode())
        sys.stdout.flush()


def open_rows(args: argparse.Namespace, columns: tuple[str, ...], settings: Mapping[str, object]) -> RowSink:
    """Return what takes the rows that the arguments ask for.

    Raises
    ------
    ConfigError
        If a file is of an unknown kind, or an existing one is refused.
    """
    if args.out == STDOUT:
        return StandardOut((Jsonl if args.json else Csv)(columns))
    convert = _conversion(args, format_of(args), columns)
    if convert is None:
        return RowFile(args.out, columns, settings, args.resume, args.force)
    return Converted(args.out, convert, columns, settings, args.resume, args.force)


def format_of(args: argparse.Namespace) -> str:
    """Return the format of ``--out``: the one that is asked for, or that of the suffix.

    Raises
    ------
    ConfigError
        If the suffix is that of no format, or not that of the one asked for.
    """
    suffix = args.out.suffix.lower()
    by_suffix = {ending: name for name, ending in reversed(FORMATS.items())}
    if args.format is None and suffix not in by_suffix:
        raise ConfigError(f"{args.out}: rows are written as {' or '.join(by_suffix)}; name a file that ends so")
    if args.format is not None and FORMATS[args.format] != suffix:
        raise ConfigError(
            f"{args.out}: --format {args.format} is written to a file that ends in {FORMATS[args.format]}"
        )
    chosen: str = args.format or by_suffix[suffix]
    return chosen


def complete_options(args: argparse.Namespace) -> None:
    """Ask for the columns that the format of ``--out`` needs, and check what only some formats take.

    Raises
    ------
    ConfigError
        If an option is missing, or belongs to another format.
    """
    chosen = None if args.out is None or args.out == STDOUT else format_of(args)
    if args.format is not None and chosen is None:
        raise ConfigError("--format is that of the rows in a file, so it needs --out FILE")
    if chosen != "camtrap-dp" and (args.taxa is not None or args.utc_offset is not None):
        raise ConfigError("--taxa and --utc-offset are for --format camtrap-dp")
    if chosen == "camtrap-dp" and not hasattr(args, "top"):
        raise ConfigError("--format camtrap-dp has a label for each picture, so it is for `classify`")
    if chosen == "camtrap-dp" and args.utc_offset is None:
        raise ConfigError(
            "--format camtrap-dp needs the offset of each time from UTC, which cameras do not state; give --utc-offset "
            "+01:00, or Z"
        )
    if chosen == "camtrap-dp" and args.every is not None:
        raise ConfigError("--format camtrap-dp has an observation for each file, and --every makes one for each frame")
    args.scores = args.scores or chosen == "megadetector"
    args.exif = args.exif or chosen == "camtrap-dp"


def _conversion(args: argparse.Namespace, chosen: str, columns: tuple[str, ...]) -> Convert | None:
    """Return what makes the file of the rows; None where it is written row by row."""
    model = as_text(Path(args.model).name)
    if chosen == "parquet":
        return parquet_rows.writer(columns)
    if chosen == "megadetector":
        return megadetector.writer(columns, model)
    if chosen == "camtrap-dp":
        taxa = {} if args.taxa is None else camtrap.read_taxa(args.taxa)
        return camtrap.writer(columns, model, args.utc_offset, taxa)
    return None
