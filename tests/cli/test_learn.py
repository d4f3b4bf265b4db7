"""The command learn, on pictures of two colors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Result
from PIL import Image
from systems import with_slashes

from cnnfast import Network

BASE = ("--base", "cifar10-lenet")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty pictures, of which the table names ten; the number is odd where it is red."""
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i in range(40):
        Image.new("RGB", (40, 40), (150 + i, 3 * i, 30) if i % 2 else (20, 3 * i, 255 - i)).save(f"photos/{i:02}.png")
    rows = [f"photos/{i:02}.png,{('blue', 'red')[i % 2]}" for i in range(10)]
    Path("labels.csv").write_text("\n".join(["path,label", *rows]) + "\n", encoding="utf-8")
    return tmp_path


def test_learns_measures_and_asks(photos: Path, run: Callable[..., Result]) -> None:
    result = run("learn", "photos", "--labels", "labels.csv", *BASE, "--out", "own.safetensors", "--next", 5)
    assert result.status == 0, result.err
    first, second, saved, *asked = with_slashes(result.out).splitlines()
    assert saved == "100.0% right in cross-validation by that network, which looks at whole pictures alone"
    assert first == "10 of 40 pictures have a label: blue 5, red 5"
    assert second.startswith("100.0% right in cross-validation")
    assert len(asked) == 5
    assert all("\tphotos/" in line and int(line[-6:-4]) >= 10 for line in asked)
    right = run("classify", "photos", "--model", "own.safetensors").out.splitlines()
    assert all(line.startswith("red" if int(line[-6:-4]) % 2 else "blue") for line in right)
    assert str(photos) not in Network.load("own.safetensors").notes["recipe"]


def test_without_labels_it_says_where_to_begin(photos: Path, run: Callable[..., Result]) -> None:
    result = run("learn", "photos", *BASE, "--next", 3, "--review", "first.html")
    assert result.status == 0, result.err
    assert len(result.out.splitlines()) == 3
    assert "airplane" in (photos / "first.html").read_text(encoding="utf-8")
    result = run("learn", "photos", *BASE, "--out", "own.safetensors")
    assert result.status == 2
    assert "without --labels there is nothing to learn" in result.err


def test_the_last_table_counts(photos: Path, run: Callable[..., Result]) -> None:
    (photos / "more.csv").write_text("path,label\nphotos/00.png,green\nphotos/02.png,green\n")
    result = run("learn", "photos", "--labels", "labels.csv", "--labels", "more.csv", *BASE)
    assert "10 of 40 pictures have a label: blue 3, green 2, red 5" in result.out


def test_pictures_of_the_table_need_not_be_in_the_folder(photos: Path, run: Callable[..., Result]) -> None:
    (photos / "new").mkdir()
    Image.new("RGB", (9, 9), "red").save("new/x.png")
    result = run("learn", "new", "--labels", "labels.csv", *BASE)
    assert result.out.splitlines()[0] == "10 of 11 pictures have a label: blue 5, red 5"
    assert with_slashes(result.out).splitlines()[-1].endswith("\tnew/x.png")


def test_labels_of_one_class_are_refused(photos: Path, run: Callable[..., Result]) -> None:
    (photos / "labels.csv").write_text("path,label\nphotos/01.png,red\nphotos/03.png,red\n")
    result = run("learn", "photos", "--labels", "labels.csv", *BASE)
    assert result.status == 2
    assert "all labeled pictures show red" in result.err


def test_unreadable_pictures_are_named(photos: Path, run: Callable[..., Result]) -> None:
    (photos / "photos" / "20.png").write_bytes(b"no picture")
    result = run("learn", "photos", "--labels", "labels.csv", *BASE)
    assert result.status == 1
    assert "1 could not be read:\n  photos/20.png: " in with_slashes(result.err)
    assert "10 of 39 pictures" in result.out
