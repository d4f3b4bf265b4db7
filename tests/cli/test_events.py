"""Bursts: pictures of one event get one label."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Result
from PIL import Image
from systems import with_slashes

from cnnfast.cli.records import Csv
from cnnfast.learn.events import events, together

RED, GREEN, BETWEEN = (250, 10, 20), (10, 240, 30), (120, 125, 20)


@pytest.fixture
def season(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of two cameras; the second of a burst of three is hard to tell."""
    monkeypatch.chdir(tmp_path)
    shots = [
        ("a/1.jpg", "06:30:00", RED),
        ("a/2.jpg", "06:30:40", BETWEEN),
        ("a/3.jpg", "06:31:20", RED),
        ("a/4.jpg", "06:40:00", GREEN),
        ("b/1.jpg", "06:30:10", GREEN),
        ("b/2.jpg", None, BETWEEN),
    ]
    for name, when, color in shots:
        Path(name).parent.mkdir(exist_ok=True)
        exif = Image.Exif()
        if when is not None:
            exif[0x0132] = f"2024:05:01 {when}"
        Image.new("RGB", (16, 16), color).save(name, exif=exif, quality=95)
    Path("b/3.jpg").write_bytes(b"nothing")
    return tmp_path


def rows(path: str) -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {with_slashes(row["picture"]): row for row in csv.DictReader(file)}


def test_pictures_of_a_burst_get_one_label(season: Path, model: Path, run: Callable[..., Result]) -> None:
    run("classify", "a", "b", "--model", model, "--scores", "--exif", "--out", "results.csv")
    assert rows("results.csv")["a/2.jpg"]["label"] == "green"
    result = run("events", "results.csv", "--event", "60s", "--out", "events.csv")
    assert result.status == 0, result.err
    found = rows("events.csv")
    assert [found[f"a/{i}.jpg"]["label"] for i in range(1, 5)] == ["red", "red", "red", "green"]
    assert len({found[f"a/{i}.jpg"]["event"] for i in (1, 2, 3)}) == 1
    assert len({row["event"] for row in found.values() if not row["error"]}) == 4
    assert found["b/3.jpg"]["error"]
    assert (
        "6 pictures in 4 events, the largest of 3; labels that differ from those of the pictures alone: 1" in result.err
    )
    assert "without a time, each an event of its own: 1" in result.err
    run("events", "results.csv", "--event", "30s", "--out", "events.csv")
    assert rows("events.csv")["a/2.jpg"]["label"] == "green"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_names_that_look_like_formulas_stay_what_they_are(
    season: Path, model: Path, run: Callable[..., Result], suffix: str
) -> None:
    names = ["=1+1.jpg", "'=1+1.jpg", "@home.jpg", "'apostrophe.jpg", "=broken.jpg"]
    for name in names[:-1]:
        Path(name).write_bytes(Path("a/1.jpg").read_bytes())
    Path(names[-1]).write_bytes(b"nothing")
    run("classify", *names, "--model", model, "--scores", "--exif", "--out", f"results{suffix}")
    assert run("events", f"results{suffix}", "--out", "events.csv").status == 0
    layout = Csv(("label", "probability", "event", "time"))
    records = [layout.decode(line) for line in Path("events.csv").read_bytes().splitlines(keepends=True)[1:]]
    assert [record.picture for record in records] == names
    assert records[-1].error
    assert records[0].error is None


def test_frames_of_a_video_are_one_event(season: Path, model: Path, run: Callable[..., Result]) -> None:
    lines = ["picture,label,probability,seconds,time,folder,score_red,score_green,error"]
    for name, second in [("a/x.mp4", 0), ("a/x.mp4", 5), ("a/x.mp4", 20), ("b/x.mp4", 0), ("b/x.mp4", 6)]:
        lines.append(f"{name}[{second}.000s],red,0.9,{second},,,0.9,0.1,")
    Path("frames.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = run("events", "frames.csv", "--event", "10s", "--out", "events.csv")
    assert result.status == 0, result.err
    assert [row["event"] for row in rows("events.csv").values()] == ["0", "0", "1", "2", "2"]
    assert "without a time" not in result.err


def test_what_is_refused(season: Path, model: Path, run: Callable[..., Result]) -> None:
    run("classify", "a", "--model", model, "--out", "plain.csv")
    assert "classify again with --scores --exif" in run("events", "plain.csv", "--out", "e.csv").err
    assert "name a file that ends in .csv" in run("events", "plain.csv", "--out", "e.txt").err
    assert "must be a time such as 60s" in run("events", "plain.csv", "--event", "soon", "--out", "e.csv").err


def test_results_are_not_replaced_by_their_events(season: Path, model: Path, run: Callable[..., Result]) -> None:
    assert run("classify", "a", "--model", model, "--scores", "--exif", "--out", "results.csv").status == 0
    before = Path("results.csv").read_bytes()
    result = run("events", "results.csv", "--out", "../" + season.name + "/results.csv")
    assert result.status == 2
    assert "holds the results that events are made of" in result.err
    assert Path("results.csv").read_bytes() == before


def test_the_mean_is_of_logarithms() -> None:
    scores = np.array([[0.8, 0.2], [0.5, 0.5], [0.0, 1.0]])
    found = together(scores, np.array([0, 0, 1]))
    expected = np.sqrt(scores[0] * scores[1])
    np.testing.assert_allclose(found[:2], np.tile(expected / expected.sum(), (2, 1)))
    np.testing.assert_allclose(found[2], [0, 1], atol=1e-11)


def test_a_chain_is_one_event_and_clocks_need_not_agree() -> None:
    at = [datetime(2024, 5, 1, 6, 0, i) for i in (0, 20, 40, 59)]
    assert events(["a"] * 4, at, 20).tolist() == [0, 0, 0, 0]
    assert events(["a"] * 4, at, 19.5).tolist() == [0, 1, 2, 2]
    assert events(["a", "a"], [None, None], 60).tolist() == [0, 1]
    aware = [datetime.fromisoformat("2024-05-01T06:00:00+02:00"), datetime.fromisoformat("2024-05-01T06:00:05")]
    assert events(["a", "a"], aware, 10).tolist() == [0, 0]
