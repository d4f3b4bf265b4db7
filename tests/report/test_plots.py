"""Plots return their figure, draw where they are told, and write only what they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import ConfigError
from cnnfast.report.plots import draw_confusion, draw_curves

figures = pytest.importorskip("matplotlib.figure", reason="plots are drawn with it; install matplotlib")

ROWS = [{"epoch": n, "loss": 1 / n, "accuracy": 1 - 1 / n, "val_loss": 2 / n, "val_accuracy": 0.5} for n in (1, 2, 3)]
MATRIX = np.array([[9, 1], [2, 8]])


def axes(count: int) -> list[Any]:
    figure = figures.Figure()
    return [figure.add_subplot(1, count, number) for number in range(1, count + 1)]


def test_without_a_path_nothing_is_written_and_the_figure_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    curves, confusion = draw_curves(ROWS), draw_confusion(MATRIX, ["cat", "dog"], title="all")
    assert [panel.get_title(loc="left") for panel in curves.axes] == ["Loss", "Accuracy (%)"]
    np.testing.assert_allclose(curves.axes[0].lines[1].get_ydata(), [2, 1, 2 / 3])
    assert confusion.axes[0].get_title(loc="left") == "all"
    assert [text.get_text() for text in confusion.axes[0].texts] == ["9", "1", "2", "8"]
    assert not list(tmp_path.iterdir())


def test_a_path_is_written(tmp_path: Path) -> None:
    draw_curves(ROWS, tmp_path / "curves.svg")
    draw_confusion(MATRIX, ["cat", "dog"], tmp_path / "confusion.png", "all")
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"curves\.xyz: cannot be drawn"):
        draw_curves(ROWS, tmp_path / "curves.xyz")


def test_given_axes_are_drawn_on() -> None:
    both, (one,) = axes(2), axes(1)
    assert draw_curves(ROWS, ax=both) is both[0].get_figure()
    assert [len(panel.lines) for panel in both] == [2, 2]
    assert draw_curves(ROWS, ax=np.array([both])) is both[0].get_figure()
    assert draw_confusion(MATRIX, ["cat", "dog"], ax=one) is one.get_figure()
    assert len(one.images) == 1


@pytest.mark.parametrize("ax", [3, "ax", [], [1, 2]])
def test_what_is_not_axes_is_named(ax: Any) -> None:
    with pytest.raises(ConfigError, match=r"ax must be the two axes of plt\.subplots\(1, 2\), but is"):
        draw_curves(ROWS, ax=ax)
    with pytest.raises(ConfigError, match=r"ax must be axes, as of plt\.subplots\(\), but is"):
        draw_confusion(MATRIX, ["cat", "dog"], ax=ax)


def test_a_run_without_an_epoch() -> None:
    with pytest.raises(ConfigError, match="nothing to draw"):
        draw_curves([])
