"""``cnnfast events RESULTS``: pictures of a burst are judged together."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from cnnfast.cli import OK
from cnnfast.cli.extra_columns import SCORE, TIME
from cnnfast.cli.progress import log
from cnnfast.cli.records import Csv, Row, as_meant
from cnnfast.data.labels_file import PATH_COLUMNS
from cnnfast.data.text_table import CSV_SUFFIXES, TextTable, read_table
from cnnfast.errors import ConfigError, DataError
from cnnfast.images.pictures.video import named_frame
from cnnfast.learn.events import events, together
from cnnfast.network.records import shortest
from cnnfast.ops import Array
from cnnfast.runtime.escapes import from_text
from cnnfast.runtime.outputs import file_behind, replacing

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}

VIDEO_BEGINS = datetime(2000, 1, 1)
"""Only differences between the frames of one video count."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "results", metavar="RESULTS", type=Path, help="the file of `cnnfast classify --scores --exif --out`"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the rows with new labels, as .csv")
    parser.add_argument(
        "--event",
        type=duration,
        default=60.0,
        metavar="60s",
        help="pictures of one folder, or frames of one video, belong together if each was taken at most so long after "
        "the one before (60s)",
    )


def duration(text: str) -> float:
    """Parse a time such as ``60s``, ``5min`` or ``1h``, as seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a time such as 60s, 5min or 1h, but is {text!r}")
    return float(found[1]) * UNITS[found[2] or "s"]


def run(args: argparse.Namespace) -> int:
    """Write the rows again, with the label and the probability of each one's event."""
    if args.out.suffix.lower() != ".csv":
        raise ConfigError(f"{args.out}: the rows of events are written as CSV; name a file that ends in .csv")
    file_behind(args.out)
    if os.path.realpath(args.out) == os.path.realpath(args.results):
        raise ConfigError(f"{args.out}: holds the results that events are made of, and their scores; name another file")
    table = read_table(args.results)
    scored = [name for name in table.columns if name.startswith(SCORE)]
    if not scored or TIME not in table.columns:
        raise DataError(
            f"{args.results}: has no columns {SCORE}… and {TIME}, from which events are made; classify again with "
            f"--scores --exif; its columns are: {table.spelled()}"
        )
    place = table.find(PATH_COLUMNS)
    if place is None:
        raise DataError(f"{args.results}: has no column of paths; its columns are: {table.spelled()}")
    names = _as_meant(table, table.column(place))
    done = [i for i in range(len(table)) if table.columns[scored[0]][i]]
    taken = [_taken(table, i, names[i]) for i in done]
    event = events([place for place, _ in taken], [time for _, time in taken], args.event)
    probabilities = together(_numbers(table, scored, done), event) if done else np.zeros((0, len(scored)))
    classes = [name.removeprefix(SCORE) for name in scored]
    _write(args.out, table, [from_text(name) for name in names], done, event, probabilities, classes)
    sizes = np.bincount(event) if done else np.zeros(0, np.int64)
    before = _as_meant(table, table.columns.get("label", []))
    changed = _changes([before[i] for i in done], probabilities, classes) if before else ""
    unknown = sum(time is None for _, time in taken)
    without = f"; without a time, each an event of its own: {unknown:,}" if unknown else ""
    log(f"{len(done):,} pictures in {len(sizes):,} events, the largest of {sizes.max(initial=0):,}{changed}{without}")
    return OK


def _as_meant(table: TextTable, cells: Sequence[str]) -> list[str]:
    """Return cells of the results as they were before they were written."""
    return [as_meant(cell) for cell in cells] if table.path.suffix.lower() in CSV_SUFFIXES else list(cells)


def _changes(before: Sequence[str], probabilities: Array, classes: Sequence[str]) -> str:
    other = sum(classes[k] != label for k, label in zip(probabilities.argmax(axis=1), before, strict=True))
    return f"; labels that differ from those of the pictures alone: {other:,}"


def _taken(table: TextTable, row: int, name: str) -> tuple[str, datetime | None]:
    """Return where and when a picture was taken: in a folder, or a frame in its video."""
    time, frame = _time(table, row), named_frame(name)
    if time is None and frame is not None:
        return frame[0], VIDEO_BEGINS + timedelta(seconds=frame[1])
    return os.path.dirname(name), time


def _time(table: TextTable, row: int) -> datetime | None:
    text = table.columns[TIME][row]
    if not text or text == "None":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{table.path}: row {row + 2} has the time {text[:40]!r}, which is not ISO 8601") from None


def _numbers(table: TextTable, columns: Sequence[str], rows: Sequence[int]) -> Array:
    try:
        return np.array([[float(table.columns[name][i]) for name in columns] for i in rows])
    except ValueError as error:
        raise DataError(f"{table.path}: a probability is not a number: {error}") from None


def _write(
    path: Path,
    table: TextTable,
    names: Sequence[str],
    done: Sequence[int],
    event: Array,
    probabilities: Array,
    classes: Sequence[str],
) -> None:
    layout = Csv(("label", "probability", "event", TIME))
    number = {i: k for k, i in enumerate(done)}
    errors = [from_text(error) for error in _as_meant(table, table.columns.get("error", [""] * len(table)))]
    with replacing(path) as file:
        file.write(layout.header())
        for i, name in enumerate(names):
            k = number.get(i)
            if k is None:
                file.write(layout.encode(Row(name, (), errors[i] or "has no result")))
                continue
            best = int(probabilities[k].argmax())
            cells = (classes[best], shortest(np.float32(probabilities[k, best])), int(event[k]), table.columns[TIME][i])
            file.write(layout.encode(Row(name, cells, None)))
