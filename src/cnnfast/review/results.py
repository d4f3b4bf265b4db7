"""Cards from a table of results, as ``find`` and ``classify`` write it."""

from __future__ import annotations

import json
from pathlib import Path

from cnnfast.data.labels_file import PATH_COLUMNS, located
from cnnfast.data.text_table import SUFFIXES, TABLES_OF_RESULTS, TextTable, read_table
from cnnfast.errors import DataError
from cnnfast.review.card import Card

LABELS, PROBABILITIES = ("label", "label_1"), ("probability", "probability_1")

OTHER = "other"


def is_results(path: Path) -> bool:
    """Return whether a path is of a table with probabilities.

    Raises
    ------
    DataError
        If it is of results in a format for other programs, which lack what a review needs.
    """
    if not path.is_file() or path.suffix.lower() not in (*SUFFIXES, ".json"):
        return False
    table = read_table(path)
    if "observationID" in table.columns:
        raise DataError(f"{path}: has observations of Camtrap DP; {TABLES_OF_RESULTS}")
    return table.find(PROBABILITIES) is not None


def read_results(path: Path) -> tuple[list[Card], int]:
    """Return a card for each picture with a result, and how many pictures have none.

    Raises
    ------
    DataError
        If columns are missing, or a probability is not a number from 0 to 1.
    """
    table = read_table(path)
    name = table.find(PATH_COLUMNS)
    if name is None:
        raise DataError(f"{path}: has no column of paths ({', '.join(PATH_COLUMNS)}); it has: {table.spelled()}")
    places = [located(picture, path.parent) for picture in table.column(name)]
    labels, certain = _believed(table)
    rivals = table.column("label_2") if "label_2" in table.columns else [""] * len(table)
    cards = [
        Card(place, label, probability, rival or None)
        for place, label, probability, rival in zip(places, labels, certain, rivals, strict=True)
        if probability is not None
    ]
    return cards, len(table) - len(cards)


def _believed(table: TextTable) -> tuple[list[str], list[float | None]]:
    """Return the label of each row and how probable it is; None where there is no result."""
    column = table.find(PROBABILITIES)
    assert column is not None
    numbers = [_number(table, text, row) for row, text in enumerate(table.column(column), 2)]
    label = table.find(LABELS)
    if "found" not in table.columns:
        if label is None:
            raise DataError(f"{table.path}: has neither a column label nor one called found; it has: {table.spelled()}")
        return table.column(label), numbers
    wanted = str(stated_settings(table.path).get("class", "found"))
    names = [wanted] * len(table) if label is None else table.column(label)
    found = [text.lower() == "true" for text in table.column("found")]
    certain = [p if is_found or p is None else 1 - p for p, is_found in zip(numbers, found, strict=True)]
    return [name if is_found else OTHER for name, is_found in zip(names, found, strict=True)], certain


def _number(table: TextTable, text: str, row: int) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise DataError(f"{table.path}: row {row} has the probability {text[:40]!r}, which is not a number from 0 to 1")
    return number


def stated_settings(path: Path) -> dict[str, object]:
    """Return what is written next to results about how they were made; nothing where that is missing."""
    try:
        settings = json.loads(path.with_name(f"{path.name}.run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}
