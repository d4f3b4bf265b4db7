"""The file of ``--out``: one row per image, in order, so that a run can be interrupted anywhere and resumed.

Rows hold nothing that differs from run to run, so a resumed file equals that of an undisturbed run byte for byte. What
the rows depend on (network, command, options) is stored next to them in ``FILE.run.json``, and must agree to resume.
"""

from __future__ import annotations

import csv
import json
import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, Self

from cnnfast.cli.records import LAYOUTS, Row, RowFormat
from cnnfast.errors import ConfigError, OutputError
from cnnfast.runtime.claims import claimed
from cnnfast.runtime.outputs import file_behind, replacing

INFORMATIVE = ("model",)
"""Settings that are written for people and not compared: the same network may be named in two ways."""


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
    OutputError
        If there is no folder to write it into, or the path is of something that is not a file.
    """

    def __init__(
        self, path: Path, columns: tuple[str, ...], settings: Mapping[str, object], resume: bool, force: bool
    ) -> None:
        layout = LAYOUTS.get(path.suffix.lower())
        if layout is None:
            raise ConfigError(
                f"{path}: rows are written one by one as {' or '.join(LAYOUTS)}; name a file that ends so"
            )
        self.path = path
        self._target = file_behind(path)
        self._sidecar = path.with_name(path.name + ".run.json")
        self._layout: RowFormat = layout(columns)
        self._settings = settings
        self._file: BinaryIO | None = None
        self._claim = ExitStack()
        if self._target.exists() and not (resume or force):
            raise ConfigError(f"{path}: exists already; use --resume to continue it, or --force to start over")
        self._continues = resume and self._target.exists()

    def __enter__(self) -> Self:
        self._claim.enter_context(claimed(self._target.with_name(self._target.name + ".running")))
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self._file is not None:
                # what could not be written was told
                with suppress(OSError) if any(error) else nullcontext():
                    self._file.close()
        finally:
            self._claim.close()

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
                self._refuse_saved_by_another(record)
                raise ConfigError(
                    f"{self.path}: its first line is {record[:80]!r}, but rows of this run begin with "
                    f"{self._layout.header()!r}; start over with --force"
                )
            end += len(record)
        # A row that a kill has torn in the middle is written again.
        os.truncate(self._target, end)
        self._continues = end > 0

    def start(self) -> None:
        """Open the file for `write`, after the rows of `earlier`."""
        if self._continues:
            self._file = self._target.open("ab")
            return
        # In this order: rows must never be next to the settings of another run, whenever a kill comes.
        self._target.unlink(missing_ok=True)
        with replacing(self._sidecar) as file:
            file.write((json.dumps(self._settings, indent=2, ensure_ascii=False) + "\n").encode())
        self._file = self._target.open("wb")
        self._append(self._layout.header())

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows and hand them to the operating system, so that a kill does not lose them."""
        self._append(b"".join(map(self._layout.encode, rows)))

    def _append(self, content: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written: {error.strerror}; the rows until there are kept, and --resume "
                "continues once there is room"
            ) from error

    def finish(self) -> None:
        """Do nothing: the file is complete after every row."""

    def _whole_records(self) -> Iterator[bytes]:
        record = b""
        with self._target.open("rb") as file:
            for line in file:
                record += line
                if self._layout.is_whole(record):
                    yield record
                    record = b""

    def _decoded(self, record: bytes, number: int) -> Row:
        try:
            row = self._layout.decode(record)
        except (ValueError, csv.Error) as error:
            raise ConfigError(
                f"{self.path}: record {number + 1} is damaged ({error}): {record[:80]!r}; start over with --force"
            ) from None
        written = self._layout.encode(row)
        if written != record:
            self._refuse_saved_by_another(record)
            raise ConfigError(
                f"{self.path}: record {number + 1} has been changed: cnnfast would write {written!r:.200}, but it is "
                f"{record!r:.200}; start over with --force"
            )
        return row

    def _refuse_saved_by_another(self, record: bytes) -> None:
        """Print a warning if a record shows that an editor or a spreadsheet has saved the file."""
        found = "a byte order mark" if record.startswith(BOM_UTF8) else "line ends of Windows"
        if record.startswith(BOM_UTF8) or record.endswith(b"\r\n"):
            raise ConfigError(
                f"{self.path}: cannot be resumed, because another program has saved it since: it has {found}, and "
                "cnnfast writes UTF-8 with line feeds alone; put the original back, or start over with --force"
            )

    def _check_settings(self) -> None:
        try:
            earlier = json.loads(self._sidecar.read_text("utf-8"))
            if not isinstance(earlier, dict):
                raise ValueError(f"it holds {type(earlier).__name__}")
        except (OSError, ValueError):
            raise ConfigError(
                f"{self.path}: cannot be resumed, because {self._sidecar.name}, which says how it was made, is missing "
                "or damaged; start over with --force"
            ) from None
        now = json.loads(json.dumps(self._settings))
        different = [key for key in {**now, **earlier} if now.get(key) != earlier.get(key) and key not in INFORMATIVE]
        if different:
            key = different[0]
            raise ConfigError(
                f"{self.path}: cannot be resumed, because it was made with {key} = {earlier.get(key)!r}, and now "
                f"{key} = {now.get(key)!r}; use the same options, or start over with --force"
            )
