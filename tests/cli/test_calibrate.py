"""The way from probabilities to decisions: calibrate, evaluate, thresholds that are chosen, and what is unknown."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cnnfast import Network
from cnnfast.calibration.api import temperature_of


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    """Pixels of noise, most of them of their class's color: what the network is least sure of is often wrong."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 300)
    images = rng.integers(90, 130, (300, 4, 4, 3))
    images[np.arange(300), ..., labels] += rng.integers(-15, 60, 300)[:, None, None]
    path = tmp_path / "labeled.npz"
    np.savez(path, images=images.astype(np.uint8), labels=labels)
    return path


@pytest.fixture
def honest(run: Any, model: Path, labeled: Path, tmp_path: Path) -> Path:
    path = tmp_path / "honest.safetensors"
    result = run("calibrate", model, labeled, "--out", path)
    assert result.status == 0, result.err
    assert "expected calibration error" in result.out
    return path


def test_calibrate_writes_a_network_that_states_its_temperature(run: Any, model: Path, honest: Path) -> None:
    assert temperature_of(Network.load(honest)) < 1
    summary = run("summary", honest).out
    assert "temperature: 0." in summary
    assert "fitted to 300 images" in summary
    assert "known above: " in summary


def test_calibrate_replaces_nothing_unasked_and_prints_json(run: Any, model: Path, labeled: Path, honest: Path) -> None:
    before = honest.read_bytes()
    again = run("calibrate", model, labeled, "--out", honest)
    assert (again.status, honest.read_bytes()) == (2, before)
    assert "use --force" in again.err
    facts = json.loads(run("calibrate", model, labeled, "--out", honest, "--force", "--json", "--limit", 90).out)
    assert facts["images"] == 90
    assert facts["after"]["negative_log_likelihood"] < facts["before"]["negative_log_likelihood"]


def test_evaluate_shows_errors_and_thresholds_and_draws_the_diagram(
    run: Any, model: Path, honest: Path, labeled: Path, tmp_path: Path
) -> None:
    found = {}
    for path in (model, honest):
        result = run("evaluate", path, labeled, "--json")
        found[path] = json.loads(result.out)["calibration"]
    assert found[honest]["expected_calibration_error"] < found[model]["expected_calibration_error"]
    report = tmp_path / "report.html"
    result = run("evaluate", honest, labeled, "--class", "red", "--threshold", 0.35, "--report", report)
    assert "expected calibration error" in result.out
    assert "red above" in result.out
    assert "\n0.35 " in result.out
    page = report.read_text()
    assert page.index('class="reliability"') < page.index("<main>")
    assert not list(tmp_path.glob("*.svg"))
    run("evaluate", honest, labeled, "--report", tmp_path / "report.png")
    drawn = (tmp_path / "report-reliability.svg").read_text()
    images = sum(int(n) for n in re.findall(r"<title>(\d+) images: ", drawn))
    assert images == 2 * json.loads(run("evaluate", honest, labeled, "--json").out)["images"]
    ElementTree.fromstring(drawn)


def test_a_threshold_is_chosen_with_labeled_images_and_written_down(
    run: Any, honest: Path, labeled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found.csv"
    words = ("find", "red", labeled, "--model", honest, "--out", out)
    result = run(*words, "--threshold", "auto:precision=0.95", "--labeled", labeled)
    assert result.status == 0, result.err
    assert "threshold 0." in result.err
    settings = json.loads(Path(f"{out}.run.json").read_text(encoding="utf-8"))
    assert settings["threshold_from"]["goal"] == "auto:precision=0.95"
    numbers = np.load(labeled)["labels"]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    right = [label == 0 for row, label in zip(rows, numbers, strict=True) if row["found"] == "true"]
    assert np.mean(right) == pytest.approx(settings["threshold_from"]["precision"])
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--threshold", "auto:precision=0.95"), "name them with --labeled"),
        (("--threshold", "auto:accuracy=0.95"), "auto:precision=P or auto:recall=P"),
        (("--threshold", "auto:recall=2"), "auto:precision=P or auto:recall=P"),
        (("--labeled", "x"), "is for --threshold auto"),
    ],
)
def test_half_a_goal_is_refused(run: Any, model: Path, labeled: Path, words: tuple[str, ...], message: str) -> None:
    result = run("find", "red", labeled, "--model", model, *words)
    assert result.status == 2
    assert message in result.err


def test_unknown_pictures_get_no_class(run: Any, honest: Path, labeled: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    Image.new("RGB", (8, 8), (120, 230, 110)).save(album / "green.png")
    Image.new("RGB", (8, 8), (3, 3, 3)).save(album / "night.png")
    out = tmp_path / "rows.csv"
    result = run("classify", album, "--model", honest, "--unknown", "--out", out, "--copy-to", tmp_path / "sorted")
    assert result.status == 0, result.err
    lines = {Path(line.rpartition("\t")[2]).name: line.split()[0] for line in result.out.splitlines()}
    assert lines == {"green.png": "green", "night.png": "unknown"}
    assert [row["unknown"] for row in csv.DictReader(out.read_text().splitlines())] == ["false", "true"]
    assert (tmp_path / "sorted" / "unknown" / "night.png").exists()
    assert "1 unknown" in result.err
    found = run("find", "red, green, blue", album, "--model", honest, "--threshold", 0, "--unknown")
    assert found.out.splitlines()[0].endswith("green.png")
    assert len(found.out.splitlines()) == 1
    resumed = run("classify", album, "--model", honest, "--unknown", "--out", out, "--resume")
    assert "1 unknown" in resumed.err


def test_a_network_that_was_not_calibrated_has_no_unknown(run: Any, model: Path, labeled: Path) -> None:
    result = run("classify", labeled, "--model", model, "--unknown")
    assert result.status == 2
    assert "cnnfast calibrate MODEL DATA" in result.err
