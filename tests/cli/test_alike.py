"""The commands similar, duplicates and explain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Result
from PIL import Image
from systems import with_slashes

MODEL = ("--model", "cifar10-lenet")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        soft = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(soft).resize((80, 60), Image.Resampling.BICUBIC).save(f"photos/{i}.png")
    Image.open("photos/3.png").convert("RGB").save("photos/again.jpg", quality=80)
    (tmp_path / "photos" / "copy of 1.png").write_bytes((tmp_path / "photos" / "1.png").read_bytes())
    return tmp_path


def test_duplicates_are_grouped(place: Path, run: Callable[..., Result]) -> None:
    result = run("duplicates", "photos", *MODEL, "--report", "sheet.html")
    assert result.status == 0, result.err
    blocks = with_slashes(result.out).strip().split("\n\n")
    groups = [[line.split("\t") for line in block.splitlines()] for block in blocks]
    assert [(group[0][0], [line[2] for line in group]) for group in groups] == [
        ("exact", ["photos/1.png", "photos/copy of 1.png"]),
        ("near", ["photos/3.png", "photos/again.jpg"]),
    ]
    assert "8 pictures: 2 duplicate another one (2 groups, 1 exact)" in result.err
    assert "copy of 1.png" in (place / "sheet.html").read_text()
    assert run("duplicates", "photos", *MODEL, "--exact").out.count("\n") == 2


def test_the_same_bytes_are_found_next_to_what_looks_like_them(place: Path, run: Callable[..., Result]) -> None:
    Image.open("photos/1.png").convert("RGB").save("photos/1 saved again.jpg", quality=90)
    assert run("duplicates", "photos", *MODEL).out.startswith("near\t")
    result = run("duplicates", "photos", *MODEL, "--exact")
    assert with_slashes(result.out) == "exact\t1.000\tphotos/1.png\nexact\t1.000\tphotos/copy of 1.png\n"
    assert "9 pictures: 1 duplicate another one (1 group, 1 exact)" in result.err


def test_similar_pictures_come_in_order(place: Path, run: Callable[..., Result]) -> None:
    result = run("similar", "photos/again.jpg", "photos", *MODEL, "--top", 3, "--report", "sheet.png")
    assert result.status == 0, result.err
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert with_slashes(lines[0][1]) == "photos/3.png"
    values = [float(value) for value, _ in lines]
    assert values == sorted(values, reverse=True)
    assert len(lines) == 3
    assert (place / "sheet.png").exists()


def test_what_cannot_be_read_is_an_error_or_named(place: Path, run: Callable[..., Result]) -> None:
    (place / "photos" / "bad.png").write_bytes(b"nothing")
    result = run("similar", "photos/0.png", "photos", *MODEL)
    assert result.status == 1
    assert "photos/bad.png: " in with_slashes(result.err)
    result = run("similar", "photos/bad.png", "photos", *MODEL)
    assert result.status == 2
    assert "photos/bad.png: " in with_slashes(result.err)
    (place / "empty").mkdir()
    assert "empty: holds no picture" in run("duplicates", "empty", *MODEL).err


def test_explain_draws_a_map(place: Path, run: Callable[..., Result]) -> None:
    result = run("explain", "photos/0.png", "--out", "map.png", *MODEL)
    assert result.status == 0, result.err
    assert "; with a place hidden " in result.out
    with Image.open("map.png") as drawn:
        assert drawn.size == (912, 448)
    result = run("explain", "photos/0.png", "--out", "map.png", "--class", "cats", "--grid", 4, *MODEL)
    assert result.out.startswith("cat 0.")
    for words, message in (
        (("--out", "map.jpg"), "name a file that ends in .png"),
        (("--out", "map.png", "--class", "unicorn"), "has no class 'unicorn'"),
        (("--out", "map.png", "--grid", 40), "from 2 to 32 places"),
        (("--out", "no/map.png"), "there is no folder no"),
    ):
        result = run("explain", "photos/0.png", *words, *MODEL)
        assert result.status == 2
        assert message in result.err
