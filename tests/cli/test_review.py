"""The command review: what it reads, what comes first, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import CARELESS, Result
from PIL import Image
from systems import with_slashes


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_results_come_with_the_most_doubtful_first(
    suffix: str, album: Path, model: Path, place: Path, run: Callable[..., Result]
) -> None:
    run("classify", "album", "--model", model, "--top", 2, "--out", f"r.{suffix}")
    result = run("review", f"r.{suffix}")
    assert result.status == 0, result.err
    assert f"r.{suffix}: 1 rows have no result and are left out" in result.err
    data = data_of(place / "review.html")
    assert data["classes"] == ["red", "green", "blue"]
    assert len(data["cards"]) == 11
    doubts = [card["probability"] for card in data["cards"] if card["size"] == 1]
    assert doubts == sorted(doubts)
    assert {card["rival"] for card in data["cards"]} <= {"red", "green", "blue"}
    assert {f"{name}.png" for name in CARELESS} <= {Path(card["path"]).name for card in data["cards"]}


def test_what_find_writes_is_read_too(album: Path, model: Path, place: Path, run: Callable[..., Result]) -> None:
    run("find", "red", "album", "--model", model, "--out", "found.csv")
    assert run("review", "found.csv").status == 0
    data = data_of(place / "review.html")
    assert {card["label"] for card in data["cards"]} == {"red", "other"}
    assert all(card["probability"] >= 0.5 for card in data["cards"])


@pytest.fixture
def labeled(place: Path) -> Path:
    """Red and blue pictures, one of which is in the wrong folder."""
    for i in range(20):
        color = "blue" if i % 2 else "red"
        folder = place / "colors" / ("red" if i == 7 else color)
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 30), (200 + i, 3 * i, 40) if color == "red" else (40, 3 * i, 200 + i)).save(
            folder / f"{i}.png"
        )
    return place / "colors"


def test_a_wrong_label_is_the_first_suspect(labeled: Path, place: Path, run: Callable[..., Result]) -> None:
    result = run("review", "colors", "--model", "cifar10-lenet", "--limit", 5)
    assert result.status == 0, result.err
    data = data_of(place / "review.html")
    assert Path(data["cards"][0]["path"]).name == "7.png"
    assert data["cards"][0]["label"] == "red"
    assert data["cards"][0]["rival"] == "blue"
    assert data["title"] == "colors: the first 5 of 20 pictures, improbable labels first"
    run("review", "colors", "--model", "cifar10-lenet", "--by", "class", "--out", "class.html")
    assert data_of(place / "class.html")["cards"][0]["label"] == "blue"


def test_what_is_refused(album: Path, model: Path, place: Path, run: Callable[..., Result]) -> None:
    run("classify", "album", "--model", model, "--out", "r.csv")
    run("classify", "album", "--model", model, "--out", "r.json")
    run("classify", "album", "--model", model, "--out", "camtrap.csv", "--format", "camtrap-dp", "--utc-offset", "Z")
    for words, message in (
        (("r.csv", "--by", "suspect"), "is about labels that people gave"),
        (("r.csv", "--out", "page.png"), "name a file that ends in .html"),
        (("album/a",), "has no labels to look at; write results first: cnnfast classify album/a"),
        (("missing.csv",), "missing.csv: no such file"),
        (("r.json",), "r.json: is not a table; results are read from .csv, .jsonl or .parquet"),
        (("camtrap.csv",), "camtrap.csv: has observations of Camtrap DP; results are read from .csv"),
    ):
        result = run("review", *words)
        assert result.status == 2
        assert message in with_slashes(result.err)
    (place / "odd.csv").write_text("picture,label,probability\nalbum/a/plain.png,red,sure\n")
    assert "row 2 has the probability 'sure'" in run("review", "odd.csv").err


def test_pictures_that_are_gone_are_named(album: Path, model: Path, place: Path, run: Callable[..., Result]) -> None:
    run("classify", "album", "--model", model, "--out", "r.csv")
    (place / "album" / "a" / "plain.png").unlink()
    result = run("review", "r.csv")
    assert result.status == 1
    assert "a/plain.png: no such file" in with_slashes(result.err)
    assert len(data_of(place / "review.html")["cards"]) == 11


def test_classify_writes_the_page_and_its_report_links_to_it(
    album: Path, model: Path, place: Path, run: Callable[..., Result]
) -> None:
    (place / "pages").mkdir()
    rows = ("classify", "album", "--model", model, "--out", "r.csv")
    result = run(*rows, "--review", "pages/r 1.html", "--report", "sheet.html")
    assert result.status == 1, result.err
    assert "a page to correct them: pages/r 1.html" in with_slashes(result.err)
    assert len(data_of(place / "pages" / "r 1.html")["cards"]) == 11
    assert '<a href="pages/r%201.html">' in (place / "sheet.html").read_text()
    assert "--review is a page about the rows of --out" in run(*rows[:-2], "--review", "page.html").err
    assert "name a file that ends in .html" in run(*rows, "--force", "--review", "page.pdf").err
