"""Where the rows of ``--out`` go: a file, or with ``-`` the standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from cnnfast.cli.records import Csv, Jsonl, Row, RowFormat
from cnnfast.cli.results_file import RowFile

STDOUT = Path("-")


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
    return RowFile(args.out, columns, settings, args.resume, args.force)
