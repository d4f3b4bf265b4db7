"""What happened, one row per epoch: a file of JSON lines that programs and people can read during training.

A row holds ``epoch`` (from 1), ``loss`` and ``accuracy`` (means over the epoch's batches, on the views that were
trained on), ``val_loss`` and ``val_accuracy`` where there is a validation part, ``rate`` (learning rate of the last
step), ``images_per_second`` and ``seconds`` (of training since the start, without validation).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnfast.errors import DataError
from cnnfast.runtime.notebook import block, table

Row = dict[str, Any]

HISTORY, CHECKPOINT, CONFUSION = "history.jsonl", "checkpoint.safetensors", "confusion.json"
"""The files in the folder of a run."""


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def append_row(path: Path, row: Row) -> None:
    """Write one more row."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_history(path: Path) -> list[Row]:
    """Read all rows.

    Raises
    ------
    DataError
        If there is no such file, it is empty, or a line is not a row.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: cannot be read: {reason}; name the folder of a training run, as `cnnfast train` writes it"
        ) from None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}: line {number} is not JSON: {error}") from None
        if not isinstance(row, dict) or not {"epoch", "loss", "accuracy"} <= row.keys():
            raise DataError(f"{path}: line {number} lacks epoch, loss or accuracy")
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: is empty; not one epoch has been finished")
    return rows


def history_html(rows: Sequence[Row], title: str) -> str:
    """Return the rows as a table for a notebook, the best validation accuracy in bold.

    Examples
    --------
    >>> row = {"epoch": 1, "loss": 0.5, "accuracy": 0.8, "images_per_second": 4000.0, "seconds": 12.5}
    >>> "80.00%" in history_html([row], "a run")
    True
    """
    is_held_out = bool(rows) and all("val_loss" in row for row in rows)
    head = [
        "epoch",
        "loss",
        "accuracy",
        *(["validation loss", "accuracy"] if is_held_out else []),
        "images/s",
        "seconds",
    ]
    cells: list[list[object]] = [[*head]]
    for row in rows:
        held = [f"{row['val_loss']:.4f}", f"{row['val_accuracy']:.2%}"] if is_held_out else []
        speed = f"{row.get('images_per_second', 0):,.0f}"
        seconds = f"{row.get('seconds', 0):.1f}"
        cells.append([row["epoch"], f"{row['loss']:.4f}", f"{row['accuracy']:.2%}", *held, speed, seconds])
    key = "val_accuracy" if is_held_out else "accuracy"
    best = max(range(len(rows)), key=lambda number: rows[number][key]) + 1 if rows else 0
    return block(title, inside=table(cells, (), strong=(best,)))


def as_line(row: Row, epochs: int) -> str:
    """Return a row as people read it.

    Examples
    --------
    >>> row = {"epoch": 2, "loss": 0.5, "accuracy": 0.8, "images_per_second": 4000.0, "seconds": 12.5}
    >>> as_line(row, 10)
    'epoch  2/10  loss 0.5000  accuracy 80.00%  4,000 images/s  12.5 s'
    """
    width = len(str(epochs))
    parts = [f"epoch {row['epoch']:{width}}/{epochs}", f"loss {row['loss']:.4f}", f"accuracy {row['accuracy']:.2%}"]
    if "val_loss" in row:
        parts += [f"validation loss {row['val_loss']:.4f}", f"accuracy {row['val_accuracy']:.2%}"]
    return "  ".join([*parts, f"{row['images_per_second']:,.0f} images/s", f"{row['seconds']:.1f} s"])
