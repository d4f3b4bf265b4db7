"""Contact sheets: right size, right frames, nothing escapes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cnnfast import ConfigError
from cnnfast.report import Scores, Tile, contact_sheet
from cnnfast.report.png import CELL_WIDTH, GAP, MARGIN, draw
from cnnfast.report.tile import Mark

GRAY = np.full((32, 32, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("found", "wanted", "mark"),
    [
        (True, None, Mark.FOUND),
        (True, True, Mark.FOUND),
        (True, False, Mark.FALSE_ALARM),
        (False, True, Mark.MISSED),
        (False, False, Mark.PLAIN),
        (False, None, Mark.PLAIN),
    ],
)
def test_marks(found, wanted, mark):
    tile = Tile(GRAY, "x.png", "cat", 0.5, found, wanted)
    assert tile.mark is mark
    corner = np.asarray(draw([tile], ""))
    color = tuple(int(mark.color[i : i + 2], 16) for i in (1, 3, 5))
    assert (corner == color).all(axis=2).any()


@pytest.mark.parametrize("count", [0, 1, 3, 17, 96])
def test_any_number_of_tiles(count):
    sheet = draw([Tile(GRAY, f"{i}.png", "cat", i / 100, i % 2 == 0) for i in range(count)], "Title")
    assert sheet.width <= 2 * MARGIN + 8 * (CELL_WIDTH + GAP)


@pytest.mark.parametrize("shape", [(1, 1, 3), (28, 28, 1), (300, 20, 4), (64, 900, 3)])
@pytest.mark.parametrize("suffix", ["png", "html"])
def test_pictures_of_any_shape(tmp_path, shape, suffix):
    tile = Tile(np.zeros(shape, np.uint8), "x" * 300, "a label that is much too long for a tile", 2.0)
    contact_sheet([tile], tmp_path / f"x.{suffix}", "Title")
    assert (tmp_path / f"x.{suffix}").stat().st_size > 100


def test_a_picture_that_has_vanished_is_an_empty_tile(tmp_path):
    contact_sheet([Tile(tmp_path / "gone.png", "gone.png", "cat", 0.5)], tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as sheet:
        assert sheet.size


def test_small_pictures_keep_their_pixels():
    pixels = np.random.default_rng(1).integers(0, 2, (32, 32, 3), np.uint8) * 255
    sheet = np.asarray(draw([Tile(pixels, "x", "cat", 0.5)], ""))
    y, x = np.argwhere((sheet != 255).any(axis=2) & (sheet != 0).any(axis=2))[0]
    assert {tuple(c) for c in sheet[y + 20 : y + 100, x + 20 : x + 100].reshape(-1, 3)} <= {
        (r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)
    }


def test_names_cannot_break_out_of_the_page(tmp_path):
    evil = '"><script>alert(1)</script>'
    contact_sheet([Tile(GRAY, evil, evil, 0.5, truth=evil)], tmp_path / "x.html", evil)
    assert "<script>" not in (tmp_path / "x.html").read_text()


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.png or \.html"):
        contact_sheet([], tmp_path / "x.pdf")


def test_scores_of_nothing_are_zero():
    scores = Scores(["a", "b"], wanted=0)
    assert scores.accuracy == 0
    assert scores.to_dict()["wanted"]["f1"] == 0
