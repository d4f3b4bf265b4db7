"""Tables of labels: a CSV or Parquet file with a column of paths and a column of labels."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.data.base import Dataset, DatasetFormat
from cnnfast.data.files import FileSource
from cnnfast.data.text_table import SUFFIXES, TextTable, read_table
from cnnfast.errors import DataError
from cnnfast.images.pictures.video import is_frame
from cnnfast.runtime.escapes import from_text

PATH_COLUMNS = ("path", "picture", "image", "file", "filename", "file_name", "filepath", "file_path", "image_path")
LABEL_COLUMNS = ("label", "class", "category", "species", "target", "truth")
SPLIT_COLUMN = "split"
"""Names that columns are found by, without regard to case, in this order."""

MAX_LISTED = 5


@frozen
class LabeledPath:
    """One row of a table of labels.

    Attributes
    ----------
    path : Path
        Of the file; relative ones are relative to the folder of the table, or else to the current one.
    label : str
    row : int
        As a spreadsheet counts: the row of column names is 1.
    """

    path: Path
    label: str
    row: int


def recognize(path: Path) -> bool:
    """Return whether a path is a file with the suffix of a table."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_labels(path: Path, split: str | None = None, columns: Sequence[str] | None = None) -> list[LabeledPath]:
    """Read the rows that have a label, and check that each file is there once and has one label.

    Parameters
    ----------
    path : Path
        A file of CSV (comma, semicolon or tab) whose first row names its columns, of JSON lines, Parquet or Arrow.
    split : str, optional
        Only rows with this value, where there is a column ``split``.
    columns : (str, str), optional
        The column of paths and that of labels; by default found by `PATH_COLUMNS` and `LABEL_COLUMNS`.

    Raises
    ------
    DataError
        If a column is missing, a file is not there, or one file has two labels.

    Warns
    -----
    UserWarning
        If rows have no label or are frames of videos, and so are left out.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "felix.jpg").touch()
    >>> _ = (folder / "labels.csv").write_text("file,species\\nfelix.jpg,cat\\n")
    >>> [(one.path.name, one.label) for one in read_labels(folder / "labels.csv")]
    [('felix.jpg', 'cat')]
    """
    table = read_table(path)
    paths, labels = _columns(table, columns)
    wanted = _wanted(table, split)
    rows = [
        LabeledPath(located(name, path.parent), label.strip(), number)
        for number, (name, label) in enumerate(zip(paths, labels, strict=True), 2)
        if label.strip() and wanted[number - 2]
    ]
    empty = sum(not label.strip() for label in labels)
    if not rows:
        why = "all of its labels are empty" if labels and empty == len(labels) else "it has no row of a picture"
        raise DataError(f"{path}: {why}{'' if split is None else f' of the split {split!r}'}; nothing can be learned")
    if empty:
        warnings.warn(f"{path}: {empty:,} of {len(labels):,} rows have no label and are left out", stacklevel=2)
    pictures = [row for row in rows if not is_frame(row.path)]
    if not pictures:
        raise DataError(
            f"{path}: names only frames of videos, from which nothing can be learned; save them as pictures"
        )
    if len(pictures) < len(rows):
        left = len(rows) - len(pictures)
        warnings.warn(f"{path}: {left:,} of {len(rows):,} rows are frames of videos and are left out", stacklevel=2)
    rows = pictures
    _check_files(path, rows)
    return _each_once(path, rows)


def open_labels(path: Path, split: str, columns: Sequence[str] | None = None) -> Dataset:
    """Open the pictures that a table of labels names; see `read_labels`."""
    rows = read_labels(path, split, columns)
    classes = tuple(sorted({row.label for row in rows}))
    number = {label: i for i, label in enumerate(classes)}
    labels = np.array([number[row.label] for row in rows], np.int64)
    return Dataset(f"pictures named in {path}", classes, labels, FileSource([row.path for row in rows]))


def _columns(table: TextTable, named: Sequence[str] | None) -> tuple[list[str], list[str]]:
    if named is not None:
        if len(named) != 2:
            raise DataError(f"{table.path}: columns are named as a pair, paths and labels, but there are {len(named)}")
        return table.column(named[0]), table.column(named[1])
    path, label = (table.find(names) for names in (PATH_COLUMNS, LABEL_COLUMNS))
    if path is None or label is None:
        what, names = ("paths", PATH_COLUMNS) if path is None else ("labels", LABEL_COLUMNS)
        raise DataError(
            f"{table.path}: has no column of {what}; its columns, named by the first row, are: {table.spelled()}. Name "
            f"both with --columns PATH,LABEL, or call it one of: {', '.join(names)}"
        )
    return table.column(path), table.column(label)


def _wanted(table: TextTable, split: str | None) -> list[bool]:
    """Return which rows belong to a split: all of them where no column says."""
    column = table.find((SPLIT_COLUMN,))
    if split is None or column is None:
        return [True] * len(table)
    return [value.strip().casefold() == split for value in table.column(column)]


def located(name: str, folder: Path) -> Path:
    """Return the path that a name of a table stands for."""
    # results of cnnfast have an apostrophe before what a spreadsheet would run as a formula, and escapes in odd names;
    # tables from Windows have backslashes
    written = name[1:] if name.startswith("'") else name
    spellings = dict.fromkeys((name, written, from_text(written), written.replace("\\", "/")))
    places = [place for spelling in spellings for place in (folder / spelling, Path(spelling))]
    return next((place for place in places if os.path.lexists(place) or is_frame(place)), folder / name)


def _check_files(path: Path, rows: Sequence[LabeledPath]) -> None:
    missing = [row for row in rows if not os.path.lexists(row.path)]
    if missing:
        named = ", ".join(f"{row.path!s:.200} (row {row.row})" for row in missing[:MAX_LISTED])
        more = f" and {len(missing) - MAX_LISTED:,} more" if len(missing) > MAX_LISTED else ""
        raise DataError(
            f"{path}: {len(missing):,} of {len(rows):,} files are not there: {named}{more}; paths are relative to the "
            "folder of the table, or else to the current one"
        )


def _each_once(path: Path, rows: Sequence[LabeledPath]) -> list[LabeledPath]:
    by_path: dict[str, list[LabeledPath]] = defaultdict(list)
    for row in rows:
        by_path[os.path.abspath(row.path)].append(row)
    for same in by_path.values():
        other = next((row for row in same if row.label != same[0].label), None)
        if other is not None:
            raise DataError(
                f"{path}: {other.path} is {same[0].label!r} in row {same[0].row}, but {other.label!r} in row "
                f"{other.row}; keep one of them"
            )
    return [same[0] for same in by_path.values()]


FORMAT = DatasetFormat(
    "labels", "a table (.csv, .parquet) with a column of paths and one of labels", recognize, open_labels
)
