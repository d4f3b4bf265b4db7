"""Pictures of a training run: curves against epochs, and the confusion matrix; drawn by matplotlib."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, DataError
from cnnfast.images.preprocess import Array
from cnnfast.runtime.arguments import quoted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GRAY = "#1f6fb4", "#d95f02", "#666666"
"""Two colors that people who are blind to red or green tell apart, and one for what only helps reading."""

MAX_CLASSES = 30
"""With more classes the cells of the confusion matrix are too small for numbers."""

Row = dict[str, Any]


def draw_curves(rows: Sequence[Row], path: Path | None = None, *, ax: Sequence[Axes] | None = None) -> Figure:
    """Draw loss and accuracy against epochs, of training and validation.

    Parameters
    ----------
    rows : sequence of dict
        The history of a run: `cnnfast.train.FitResult.history`, or what `cnnfast.train.history.read_history` reads.
    path : Path, optional
        A .png, .svg or .pdf to write.
    ax : two axes of matplotlib, optional
        Where to draw loss and accuracy; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is missing, there is no row, or ``ax`` is not two axes.

    Examples
    --------
    >>> rows = [{"epoch": n, "loss": 1 / n, "accuracy": 1 - 1 / n} for n in (1, 2, 3)]
    >>> len(draw_curves(rows).axes)
    2
    """
    if not rows:
        raise ConfigError("there is nothing to draw: not one epoch has been finished")
    panels = _axes(10, 4, 2) if ax is None else _given_axes(ax, 2)
    epochs = [row["epoch"] for row in rows]
    for axes, (key, title) in zip(panels, (("loss", "Loss"), ("accuracy", "Accuracy (%)")), strict=True):
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
    return _finished(panels[0], path)


def _curves(rows: Sequence[Row], key: str) -> dict[str, list[float]]:
    """Return the values of training, and of validation where every row has them; accuracies in percent."""
    factor = 100 if key == "accuracy" else 1
    names = {"training": key, "validation": f"val_{key}"}
    return {name: [factor * row[k] for row in rows] for name, k in names.items() if all(k in row for row in rows)}


def draw_confusion(
    matrix: Array, classes: Sequence[str], path: Path | None = None, title: str = "", *, ax: Axes | None = None
) -> Figure:
    """Draw the confusion matrix: rows are true classes, columns are predictions.

    Parameters
    ----------
    matrix : int array (K, K)
        As `Scores.matrix`.
    classes : sequence of str
    path : Path, optional
        A .png, .svg or .pdf to write.
    title : str
    ax : axes of matplotlib, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is missing, or ``ax`` is not axes.

    Examples
    --------
    >>> draw_confusion(np.array([[9, 1], [2, 8]]), ["cat", "dog"]).axes[0].get_ylabel()
    'is'
    """
    count = len(classes)
    side = min(3.2 + 0.52 * count, 16)
    (axes,) = _axes(side + 0.6, side, 1) if ax is None else _given_axes([ax], 1)
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
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the row", color=GRAY)
    bar.outline.set_visible(False)
    return _finished(axes, path)


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


def _axes(width: float, height: float, count: int) -> list[Any]:
    """Return axes side by side on a new figure."""
    with needs("a plot", "cnnfast[plots]"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained")
    return [figure.add_subplot(1, count, number) for number in range(1, count + 1)]


def _given_axes(ax: object, count: int) -> list[Any]:
    try:
        axes = np.asarray(ax, object).ravel().tolist()
    # anything may be passed
    except Exception:
        axes = []
    if len(axes) != count or not all(hasattr(one, "get_figure") for one in axes):
        what = "the two axes of plt.subplots(1, 2)" if count == 2 else "axes, as of plt.subplots()"
        raise ConfigError(f"ax must be {what}, but is {quoted(ax)}")
    return axes


def _finished(axes: Any, path: Path | None) -> Figure:
    """Return the figure of axes, written to a file if there is a path."""
    figure: Figure = axes.get_figure()
    if path is not None:
        try:
            figure.savefig(path, dpi=110)
        except ValueError as error:
            raise ConfigError(f"{path}: cannot be drawn: {error}") from None
    return figure
