"""Rows as Parquet: a column for each, typed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cnnfast._optional import needs
from cnnfast.cli.converted import Convert
from cnnfast.cli.export import UNKNOWN
from cnnfast.cli.records import Row
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.outputs import replacing

CHUNK = 10_000
"""Rows at a time: memory stays constant."""


def column_type(name: str) -> Any:
    """Return the Arrow type of a column."""
    import pyarrow as pa

    if name in ("found", UNKNOWN):
        return pa.bool_()
    return pa.float32() if name.startswith(("probability", "score_", "seconds")) else pa.string()


def writer(columns: tuple[str, ...]) -> Convert:
    """Return what writes rows into a file; `ConfigError` if pyarrow is missing."""
    with needs("writing Parquet", "cnnfast[arrow]"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    schema = pa.schema([("picture", pa.string()), *((c, column_type(c)) for c in columns), ("error", pa.string())])

    def write(path: Path, rows: Iterator[Row]) -> Sequence[str]:
        with replacing(path) as file, pq.ParquetWriter(file, schema) as table:
            while chunk := list(itertools.islice(rows, CHUNK)):
                table.write_table(pa.Table.from_pylist([_record(row, columns) for row in chunk], schema))
        return []

    return write


def _record(row: Row, columns: tuple[str, ...]) -> dict[str, object]:
    cells = dict(zip(columns, row.cells, strict=True)) if row.error is None else {}
    return {"picture": as_text(row.picture), **cells, "error": None if row.error is None else as_text(row.error)}
