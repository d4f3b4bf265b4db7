"""Files of Parquet and Arrow, read in order and in small pieces whose bounds depend on the files alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from cnnfast._frozen import frozen
from cnnfast.arrow.columns import spelled
from cnnfast.errors import ConfigError, DataError
from cnnfast.runtime.arguments import listed, path_of
from cnnfast.runtime.paths import in_order

PIECE_ROWS, PIECE_BYTES = 256, 1 << 26
"""Of what is read together; whichever is less."""

READ_BYTES = 1 << 14
"""What is read of a column of a Parquet file at a time, or a page of it, so that no row group must fit into memory.
More than that would be another copy outside of the cache: 1 MiB costs 4 % of the CS61C network."""


class TableFile(Protocol):
    """One file of rows."""

    @property
    def path(self) -> Path: ...
    @property
    def schema(self) -> Any: ...
    @property
    def rows(self) -> int: ...

    def pieces(self, columns: Sequence[str], skip: int) -> Iterator[Any]:
        """Yield record batches of some columns, without the first rows."""
        ...


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what pyarrow and the system raise into a `DataError` that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


@frozen(eq=False)
class ParquetTable:
    """A Parquet file; see `TableFile`."""

    path: Path
    schema: Any
    rows: int

    @classmethod
    def open(cls, path: Path) -> ParquetTable:
        """Read what the file says of itself."""
        from pyarrow import parquet

        with reading(path), parquet.ParquetFile(path) as file:
            return cls(path, file.schema_arrow, file.metadata.num_rows)

    def pieces(self, columns: Sequence[str], skip: int) -> Iterator[Any]:
        """Yield record batches of some columns, row group after row group."""
        from pyarrow import parquet

        with reading(self.path), parquet.ParquetFile(self.path, buffer_size=READ_BYTES, pre_buffer=False) as file:
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                if skip and skip >= group.num_rows:
                    skip -= group.num_rows
                    continue
                each = group.total_byte_size // max(group.num_rows, 1)
                size = max(1, min(PIECE_ROWS, PIECE_BYTES // max(each, 1)))
                for piece in file.iter_batches(size, [number], list(columns), use_threads=False):
                    if skip < piece.num_rows:
                        yield piece.slice(skip)
                    skip = max(0, skip - piece.num_rows)


@frozen(eq=False)
class ArrowTable:
    """A file of Arrow, also called Feather, or a stream of record batches in a file; see `TableFile`."""

    path: Path
    schema: Any
    rows: int

    @classmethod
    def open(cls, path: Path) -> ArrowTable:
        """Count the rows: of a file by its metadata alone, of a stream by reading it."""
        from pyarrow import dataset

        with reading(path), _batches(path) as (schema, batches):
            if _begins_with(path, ARROW):
                return cls(path, schema, dataset.dataset(path, format="ipc").count_rows())
            return cls(path, schema, sum(batch.num_rows for batch in batches))

    def pieces(self, columns: Sequence[str], skip: int) -> Iterator[Any]:
        """Yield record batches of some columns, cut into pieces."""
        fields = [self.schema.get_field_index(name) for name in columns]
        with reading(self.path), _batches(self.path, fields) as (_, batches):
            for batch in batches:
                each = batch.nbytes // max(batch.num_rows, 1)
                size = max(1, min(PIECE_ROWS, PIECE_BYTES // max(each, 1)))
                batch = batch.select(list(columns))
                for start in range(0, batch.num_rows, size):
                    piece = batch.slice(start, size)
                    if skip < piece.num_rows:
                        yield piece.slice(skip)
                    skip = max(0, skip - piece.num_rows)


@contextmanager
def _batches(path: Path, fields: Sequence[int] | None = None) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Open a file of record batches; other fields than those named are not decompressed."""
    options = pa.ipc.IpcReadOptions(included_fields=None if fields is None else list(fields))
    with pa.memory_map(os.fspath(path)) as file:
        if _begins_with(path, ARROW):
            with pa.ipc.open_file(file, options=options) as reader:
                yield reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
            return
        with pa.ipc.open_stream(file, options=options) as reader:
            yield reader.schema, iter(reader)


def _begins_with(path: Path, content: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(content)) == content


PARQUET, ARROW, STREAM, FEATHER_1 = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"FEA1"
"""What files begin with."""


def open_table(path: Path) -> TableFile:
    """Open a file of Parquet or Arrow, recognized by its first bytes.

    Raises
    ------
    DataError
        If it is missing, damaged or of another kind.

    Examples
    --------
    >>> open_table(Path("missing.parquet"))
    Traceback (most recent call last):
    cnnfast.errors.DataError: missing.parquet: cannot be read: No such file or directory
    """
    with reading(path):
        if path.exists() and not path.is_file():
            # opening a pipe or a device could block
            raise DataError(f"{path}: is neither a file nor a folder of files")
        with path.open("rb") as file:
            head = file.read(8)
    if head.startswith(PARQUET):
        return ParquetTable.open(path)
    if head.startswith((ARROW, STREAM)):
        return ArrowTable.open(path)
    if head.startswith(FEATHER_1):
        raise DataError(f"{path}: is Feather of version 1, from before 2020; write it again with pyarrow or pandas")
    raise DataError(f"{path}: is neither a file of Parquet nor of Arrow (Feather); it begins with {head!r}")


def files_of(source: Any) -> list[Path]:
    """Return the files that a source names: one, a list of them, or those in a folder, sorted by name.

    In a folder, as Spark and Dask write them, names that begin with ``_`` or ``.`` are left out.

    Raises
    ------
    DataError
        If a folder has no file.
    """
    single = isinstance(source, str | os.PathLike)
    found = []
    for path in [path_of("the source", one) for one in ([source] if single else listed("the source", source))]:
        inside = [path]
        if path.is_dir():
            inside = in_order(p for p in path.rglob("*") if p.is_file() and _is_visible(p, path))
        if not inside:
            raise DataError(f"{path}: this folder has no file of Parquet or Arrow")
        found += inside
    if not found:
        raise ConfigError("the source is an empty list; name at least one file")
    return found


def _is_visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)


class Source:
    """Rows of several files of the same columns, one after the other.

    Parameters
    ----------
    source : path or list of path
        See `files_of`.

    Raises
    ------
    DataError
        If a file cannot be read, or has other columns than the first.
    """

    def __init__(self, source: Any) -> None:
        self.paths = files_of(source)
        self._files = [open_table(path) for path in self.paths]
        self.schema = self._files[0].schema
        self.rows = sum(file.rows for file in self._files)
        for file in self._files:
            if not file.schema.equals(self.schema):
                raise DataError(
                    f"{file.path}: has other columns than {self.paths[0]}: {spelled(file.schema)}, and not "
                    f"{spelled(self.schema)}"
                )

    def states(self) -> list[list[Any]]:
        """Return the path, the size and the time of the last change of each file."""
        stats = [(path, path.stat()) for path in self.paths]
        return [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]

    def pieces(self, columns: Sequence[str], skip: int = 0) -> Iterator[Any]:
        """Yield record batches of some columns, without the first rows."""
        selected = pa.schema([self.schema.field(name) for name in columns])
        for file in self._files:
            if skip and skip >= file.rows:
                skip -= file.rows
                continue
            for piece in file.pieces(columns, skip):
                # files may differ in the metadata of their schemas
                yield pa.RecordBatch.from_arrays([piece.column(name) for name in columns], schema=selected)
            skip = 0
