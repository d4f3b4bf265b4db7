"""``--thumbnails``: what is counted, compared and said."""

from __future__ import annotations

import pytest
from images.test_preview import exif_with, jpeg
from PIL import Image

from cnnfast.cli import previews


@pytest.fixture
def cards(tmp_path):
    """Twelve red photographs; ten have a preview, of which three are green; one more is broken."""
    folder = tmp_path / "cards"
    folder.mkdir()
    for i in range(12):
        preview = jpeg(Image.new("RGB", (160, 120), "green" if i in (2, 5, 9) else "red")) if i < 10 else b""
        content = jpeg(Image.new("RGB", (320, 240), "red"), exif=exif_with(preview))
        (folder / f"{i:02}.jpg").write_bytes(content)
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


@pytest.mark.parametrize("first", [4, 10, 100])
def test_previews_are_counted_and_the_first_ones_compared(run, model, cards, monkeypatch, first):
    monkeypatch.setattr(previews, "COMPARED", first)
    result = run("classify", cards, "--model", model, "--thumbnails")
    assert result.status == 1
    assert [line.split()[0] for line in result.out.splitlines()].count("green") == 3
    assert "previews in place of pictures: 10 of 12" in result.err
    compared, same = {4: (4, 3), 10: (10, 7), 100: (10, 7)}[first]
    said = f"of the first {compared} previews, {same} have the label that their pictures have"
    assert result.err.count(said) == 1
    assert "broken.jpg: not a picture" in result.err or "broken.jpg: cannot be decoded" in result.err


def test_without_the_option_pictures_are_decoded(run, model, cards):
    result = run("find", "green", cards, "--model", model)
    assert result.out == ""
    assert "preview" not in result.err


def test_find_takes_them_too_and_a_run_is_resumed_only_with_them(run, model, cards, tmp_path):
    out = tmp_path / "rows.csv"
    words = ("find", "green", cards, "--model", model, "--out", out)
    assert len(run(*words, "--thumbnails").out.splitlines()) == 3
    assert "thumbnails" in run(*words, "--resume").err
    resumed = run(*words, "--thumbnails", "--resume")
    assert "previews in place of pictures: 0 of 0" in resumed.err


def test_pictures_that_are_gone_are_not_compared(run, model, cards, monkeypatch):
    load = previews.Previews.load

    def load_and_lose(self, item, opened):
        loaded = load(self, item, opened)
        if item.name.endswith("00.jpg"):
            item.picture.unlink()
        return loaded

    monkeypatch.setattr(previews.Previews, "load", load_and_lose)
    assert "of the first 9 previews, 6 have" in run("classify", cards, "--model", model, "--thumbnails").err
