"""Tables as text: the columns of a file of CSV, JSON lines, Parquet or Arrow."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnfast._frozen import frozen
from cnnfast._optional import needs
from cnnfast.errors import DataError

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl",)
ARROW_SUFFIXES = (".parquet", ".feather", ".arrow", ".ipc")

SUFFIXES = CSV_SUFFIXES + JSON_SUFFIXES + ARROW_SUFFIXES

TABLES_OF_RESULTS = (
    "results are read from .csv, .jsonl or .parquet: write them with --out FILE that ends so, without --format"
)

DELIMITERS = ",;\t"


@frozen(eq=False)
class TextTable:
    """A table whose cells are text.

    Attributes
    ----------
    path : Path
        The file it was read from.
    columns : dict
        From names of columns to their cells; a missing value is an empty text.
    """

    path: Path
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def find(self, names: Sequence[str]) -> str | None:
        """Return the column that has the first of some names that any has, without regard to case."""
        known = {name.strip().casefold(): name for name in reversed(self.columns)}
        return next((known[name] for name in names if name in known), None)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column.

        Raises
        ------
        DataError
            If there is none of that name; the message lists all.
        """
        if name not in self.columns:
            raise DataError(f"{self.path}: has no column {name!r}; its columns are: {self.spelled()}")
        return self.columns[name]

    def spelled(self) -> str:
        """Return the names of all columns, as a message lists them."""
        return ", ".join(f"{name[:80]!r}" for name in self.columns)


def read_table(path: Path) -> TextTable:
    """Read a table as text.

    Raises
    ------
    DataError
        If it is damaged, has no row of column names, or a row has more or fewer cells.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name;kind\\nfelix;cat\\n")
    >>> read_table(file).columns
    {'name': ['felix'], 'kind': ['cat']}
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        raise DataError(f"{path}: is not a table; {TABLES_OF_RESULTS}")
    if suffix in ARROW_SUFFIXES:
        return _from_arrow(path)
    return _from_json(path) if suffix in JSON_SUFFIXES else _from_csv(path)


def _from_csv(path: Path) -> TextTable:
    try:
        # names of files need not be valid text
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            first = file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=delimiter, strict=True) if row]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from None
    if not rows:
        raise DataError(f"{path}: is empty; its first row must name the columns")
    header, *cells = rows
    if len(set(header)) < len(header):
        raise DataError(f"{path}: two columns have one name: {', '.join(map(repr, header))}; rename one of them")
    for number, row in enumerate(cells, 2):
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, but the first row names {len(header)} columns; a cell "
                f"with {delimiter!r} in it must be in double quotes"
            )
    return TextTable(path, {name: [row[i] for row in cells] for i, name in enumerate(header)})


def _from_json(path: Path) -> TextTable:
    """Read one object per line; a key that an object lacks is an empty text."""
    rows: list[dict[str, object]] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}: line {number} must be an object, but is {line[:80]!r}")
                rows.append(row)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read as lines of JSON: {error}") from None
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise DataError(f"{path}: is empty; each line must be an object")
    return TextTable(path, {name: [_text(row.get(name)) for row in rows] for name in names})


def _from_arrow(path: Path) -> TextTable:
    with needs(f"reading {path}", "cnnfast[arrow]"):
        import pyarrow as pa
        from pyarrow import feather, parquet
    try:
        table = parquet.read_table(path) if path.suffix.lower() == ".parquet" else feather.read_table(path)
        columns = {name: _texts(table.column(i)) for i, name in enumerate(table.column_names) if _is_plain(table, i)}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not columns:
        raise DataError(f"{path}: has no column of text or numbers: {table.schema.to_string()[:400]}")
    return TextTable(path, columns)


def _is_plain(table: Any, index: int) -> bool:
    import pyarrow.types as types

    kind = table.schema.field(index).type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean, types.is_floating)
    return any(test(kind) for test in tests)


def _texts(column: Any) -> list[str]:
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    return "" if value is None else str(value)
