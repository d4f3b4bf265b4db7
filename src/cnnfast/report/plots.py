"""Pictures of a training run: curves against epochs, and the confusion matrix; drawn by matplotlib."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, DataError
from cnnfast.images.preprocess import Array

BLUE, ORANGE, GRAY = "#1f6fb4", "#d95f02", "#666666"
"""Two colors that people who are blind to red or green tell apart, and one for what only helps reading."""

MAX_CLASSES = 30
"""With more classes the cells of the confusion matrix are too small for numbers."""

Row = dict[str, Any]


def draw_curves(rows: Sequence[Row], path: Path) -> None:
    """Draw loss and accuracy against epochs, of training and validation, into a .png, .svg or .pdf.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    """
    figure = _figure(10, 4)
    epochs = [row["epoch"] for row in rows]
    for panel, (key, title) in enumerate((("loss", "Loss"), ("accuracy", "Accuracy (%)")), 1):
        axes = figure.add_subplot(1, 2, panel)
        curves = _curves(rows, key)
        highest = max(curves.values(), key=lambda values: values[-1])
        for (name, values), color in zip(curves.items(), (BLUE, ORANGE), strict=False):
            marker = "o" if len(values) <= 30 else None
            axes.plot(epochs, values, color=color, label=name, marker=marker, markersize=3.5, linewidth=1.6)
            # The figure of the higher curve goes above its end, the other below: they never overlap.
            place = "bottom" if values is highest else "top"
            digits = f"{values[-1]:.1f}%" if key == "accuracy" else f"{values[-1]:.3f}"
            axes.annotate(digits, (epochs[-1], values[-1]), (5, 0), textcoords="offset points", color=color, va=place)
        axes.set_xlabel("epoch")
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xlim(epochs[0] - 0.3, epochs[-1] + max(1, len(epochs)) * 0.14)
        if key == "loss":
            axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper right" if key == "loss" else "lower right")
    _save(figure, path)


def _curves(rows: Sequence[Row], key: str) -> dict[str, list[float]]:
    """Return the values of training, and of validation where every row has them; accuracies in percent."""
    factor = 100 if key == "accuracy" else 1
    names = {"training": key, "validation": f"val_{key}"}
    return {name: [factor * row[k] for row in rows] for name, k in names.items() if all(k in row for row in rows)}


def draw_confusion(matrix: Array, classes: Sequence[str], path: Path, title: str) -> None:
    """Draw the confusion matrix: rows are true classes, columns are predictions.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    """
    count = len(classes)
    side = min(3.2 + 0.52 * count, 16)
    figure = _figure(side + 0.6, side)
    axes = figure.add_subplot()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), classes)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axes.tick_params(length=0)
    if count <= MAX_CLASSES:
        for (row, column), number in np.ndenumerate(matrix):
            if number:
                color = "white" if share[row, column] > 0.55 else "black"
                axes.text(column, row, f"{number:,}", ha="center", va="center", color=color, fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the row", color=GRAY)
    bar.outline.set_visible(False)
    _save(figure, path)


def write_confusion(path: Path, matrix: Array, classes: Sequence[str], title: str) -> None:
    """Keep a confusion matrix as JSON, for `read_confusion`."""
    fields = {"title": title, "classes": list(classes), "matrix": matrix.tolist()}
    path.write_text(json.dumps(fields) + "\n", encoding="utf-8")


def read_confusion(path: Path) -> tuple[Array, list[str], str]:
    """Return the matrix, the classes and the title.

    Raises
    ------
    DataError
        If the file cannot be read or is something else.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        matrix = np.array(fields["matrix"], np.int64)
        classes, title = [str(name) for name in fields["classes"]], str(fields["title"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: holds no confusion matrix: {type(error).__name__}: {error}") from None
    if matrix.shape != (len(classes), len(classes)):
        raise DataError(f"{path}: its matrix is {matrix.shape}, but there are {len(classes)} classes")
    return matrix, classes, title


def _figure(width: float, height: float) -> Any:
    with needs("a plot", "cnnfast[plots]"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=110)
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be drawn: {error}") from None
