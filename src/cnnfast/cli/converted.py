"""Rows in formats that are written as a whole: kept as JSON lines while a run lasts, and converted at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from cnnfast.cli.progress import log
from cnnfast.cli.records import Row
from cnnfast.cli.results_file import RowFile
from cnnfast.errors import ConfigError
from cnnfast.runtime.outputs import file_behind

Convert = Callable[[Path, Iterator[Row]], Sequence[str]]
"""Writes all rows into a file, and returns what to say about it."""

JOURNAL = ".rows.jsonl"


class Converted:
    """A file that is written once all rows are there; until then, and to resume, they are in ``FILE.rows.jsonl``.

    Parameters
    ----------
    path : Path
    convert : callable
    columns, settings, resume, force
        As for `RowFile`.

    Raises
    ------
    ConfigError
        If the file exists, and is neither to be resumed nor replaced.
    """

    def __init__(
        self,
        path: Path,
        convert: Convert,
        columns: tuple[str, ...],
        settings: Mapping[str, object],
        resume: bool,
        force: bool,
    ) -> None:
        target = file_behind(path)
        self._target, self._convert = path, convert
        self.path = path.with_name(path.name + JOURNAL)
        if target.exists() and not (resume or force):
            raise ConfigError(f"{path}: exists already; use --resume to continue it, or --force to start over")
        if target.exists() and resume and not self.path.exists():
            raise ConfigError(f"{path}: cannot be resumed without {self.path.name}, which has its rows; use --force")
        self._columns, self._settings = columns, settings
        self._rows = RowFile(self.path, columns, settings, resume, force)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._rows.__exit__(*problem)

    def earlier(self) -> Iterator[Row]:
        """Yield the rows that an interrupted run has written."""
        return self._rows.earlier()

    def start(self) -> None:
        """Open the file of lines."""
        self._rows.start()

    def write(self, rows: Sequence[Row]) -> None:
        """Append lines."""
        self._rows.write(rows)

    def finish(self) -> None:
        """Convert all rows."""
        written = RowFile(self.path, self._columns, self._settings, resume=True, force=False)
        log(*self._convert(self._target, written.earlier()))
