"""Results that are finished, in a folder next to the file that they become, so that a run can be interrupted anywhere.

    OUT.parts/run.json               what the results depend on
    OUT.parts/lock                   locked by the run that is at work
    OUT.parts/000000000000.arrow     rows 0 to 16,383, and so on: each is there as a whole or not at all

The parts begin and end at rows that depend on the source alone, so the joined file of a resumed run equals that of an
undisturbed one byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from cnnfast.arrow.sources import ArrowTable, reading
from cnnfast.errors import ConfigError, OutputError, UnsupportedError
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.claims import claimed
from cnnfast.runtime.outputs import remove_unfinished, replacing

PART_ROWS, PART_BYTES = 1 << 14, 1 << 26
"""Of a part: a run that is killed loses no more than that."""

GROUP_ROWS, GROUP_BYTES = 1 << 20, 1 << 26
"""Of a row group, or record batch, of the joined file; whichever is less."""

METADATA = b"cnnfast"
"""The key of the metadata of the schema that says how the results were made."""


def parquet_writer(file: Any, schema: Any) -> Any:
    """Return a writer of a Parquet file."""
    from pyarrow import parquet

    return parquet.ParquetWriter(file, schema)


WRITERS: dict[str, Callable[[Any, Any], Any]] = {
    ".parquet": parquet_writer,
    **dict.fromkeys((".feather", ".arrow", ".ipc"), pa.ipc.new_file),
}
"""Suffixes of results, and what writes them."""


def writer_of(out: Path, schema: Any) -> Callable[[Any, Any], Any]:
    """Return what writes a file of that name, if it can write these columns.

    Raises
    ------
    ConfigError
        If the suffix is unknown.
    UnsupportedError
        If this kind of file has no such columns.
    """
    make = WRITERS.get(out.suffix.lower())
    if make is None:
        raise ConfigError(f"{out}: results are written as {', '.join(WRITERS)}; name a file that ends so")
    for field in schema:
        if make is pa.ipc.new_file and pa.types.is_dictionary(field.type):
            raise UnsupportedError(
                f"{out}: the kept column {field.name!r} ({field.type}) cannot be written as {out.suffix}, which has "
                "one dictionary for all of a file, which is not known before its end; write .parquet, or leave it out"
            )
        try:
            make(pa.BufferOutputStream(), pa.schema([field])).close()
        except pa.ArrowException as error:
            raise UnsupportedError(
                f"{out}: the kept column {field.name!r} ({field.type}) cannot be written as {out.suffix}: {error}"
            ) from error
    return make


class Parts:
    """The folder of parts of a file.

    Parameters
    ----------
    out : Path
        What the parts become.
    schema : pyarrow.Schema
        Of the results.
    """

    def __init__(self, out: Path, schema: Any) -> None:
        self.out, self.folder, self._schema = out, out.with_name(out.name + ".parts"), schema
        self._settings = self.folder / "run.json"

    def claimed(self) -> AbstractContextManager[None]:
        """Have the folder alone in a ``with`` block, outside of which nothing in it may change."""
        return claimed(self.folder)

    def exist(self) -> bool:
        """Return whether an interrupted run has left some."""
        return self._settings.exists() or bool(self._paths())

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write what the results depend on."""
        with replacing(self._settings) as file:
            file.write((json.dumps(settings, indent=2) + "\n").encode())

    def resume(self, settings: Mapping[str, Any]) -> int:
        """Return how many rows are finished.

        Raises
        ------
        ConfigError
            If they were made with other settings, or of another source.
        """
        remove_unfinished(self.folder)
        try:
            earlier = json.loads(self._settings.read_text("utf-8"))
            if not isinstance(earlier, dict):
                raise ValueError("it holds something else")
        except (OSError, ValueError):
            raise ConfigError(
                f"{self.folder}: cannot be resumed, because run.json in it, which says how it was made, is missing or "
                f"damaged; {START_OVER}"
            ) from None
        check_same(self.folder, earlier, json.loads(json.dumps(settings)))
        done = 0
        for path in self._paths():
            if path.name != _name(done):
                raise ConfigError(f"{self.folder}: cannot be resumed, because {_name(done)} is missing; {START_OVER}")
            done += ArrowTable.open(path).rows
        return done

    def write(self, results: Iterator[Any], done: int) -> Iterator[int]:
        """Write all results from a row on; yield how many rows have come, each time that some have."""
        for first in results:
            path, rows = self.folder / _name(done), 0
            with replacing(path) as file, _writing(path, file, self._schema, pa.ipc.new_stream) as writer:
                size = 0
                for batch in chain([first], results):
                    writer.write_batch(batch)
                    rows, size = rows + batch.num_rows, size + batch.nbytes
                    yield batch.num_rows
                    if rows >= PART_ROWS or size >= PART_BYTES:
                        break
            done += rows

    def join(self, make: Callable[[Any, Any], Any], rows: int, seen: Callable[[Any], None]) -> None:
        """Write the file of all parts, and remove them; ``seen`` is called with each table on the way.

        Raises
        ------
        OutputError
            If they do not have that many rows, because something has removed one, or it cannot be written.
        """
        with replacing(self.out) as file, _writing(self.out, file, self._schema, make) as writer:
            done = 0
            for table in self._groups():
                seen(table)
                writer.write_table(table, max(table.num_rows, 1))
                done += table.num_rows
            if done != rows:
                raise OutputError(f"{self.folder}: has {done} of {rows} rows, so parts were removed; {START_OVER}")
        self.remove()

    def _groups(self) -> Iterator[Any]:
        group: list[Any] = []
        rows = size = 0
        for path in self._paths():
            with reading(path):
                table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
            group.append(table)
            rows, size = rows + table.num_rows, size + table.nbytes
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                yield pa.concat_tables(group).unify_dictionaries().combine_chunks()
                group, rows, size = [], 0, 0
        if group:
            yield pa.concat_tables(group).unify_dictionaries().combine_chunks()

    def remove(self) -> None:
        """Remove what is in the folder, but nothing that is not of such a run."""
        remove_unfinished(self.folder)
        for path in [*self._paths(), self._settings]:
            path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"{'[0-9]' * DIGITS}.arrow"))


START_OVER = "start over with force=True (--force)"
DIGITS = 12


def _name(first: int) -> str:
    return f"{first:0{DIGITS}}.arrow"


def check_same(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if results were made with other settings."""
    for key in {**now, **earlier}:
        if earlier.get(key) != now.get(key):
            raise ConfigError(
                f"{path}: cannot be resumed, because it was made with {key} = {quoted(earlier.get(key))}, and now "
                f"{key} = {quoted(now.get(key))}; use the same source and options, or {START_OVER}"
            )


@contextmanager
def _writing(path: Path, file: BinaryIO, schema: Any, make: Callable[[Any, Any], Any]) -> Iterator[Any]:
    try:
        with make(file, schema) as writer:
            yield writer
    except pa.ArrowException as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
