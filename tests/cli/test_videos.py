"""``--every``: a row for each frame of a video, with its time."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast.data.labels_file import read_labels
from cnnfast.errors import DataError

COLORS = ((250, 10, 20), (10, 240, 30), (5, 15, 235))


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """A video that is red, green and blue for a second each, between two pictures, and one that is broken."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    folder = tmp_path / "season"
    (folder / "cam").mkdir(parents=True)
    for name in ("a.png", "z.png"):
        Image.new("RGB", (6, 5), (250, 0, 0)).save(folder / "cam" / name)
    with av.open(str(folder / "cam" / "clip.MP4"), "w", format="mp4") as video:
        stream = video.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(24):
            pixels = np.full((48, 64, 3), COLORS[number // 8], np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        video.mux(stream.encode())
    (folder / "cam" / "bad.mp4").write_bytes(b"no video")
    return folder


def test_a_row_for_each_frame_with_its_time(run, season, model, tmp_path):
    words = ("classify", season, "--model", model, "--every", "1s", "--out", tmp_path / "x.csv")
    result = run(*words)
    assert result.status == 1
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = [(Path(row["picture"]).name, row["label"], row["seconds"]) for row in csv.DictReader(file)]
    assert rows == [
        ("a.png", "red", ""), ("bad.mp4", "", ""), ("clip.MP4[0.000s]", "red", "0.0"),
        ("clip.MP4[1.000s]", "green", "1.0"), ("clip.MP4[2.000s]", "blue", "2.0"), ("z.png", "red", ""),
    ]  # fmt: skip
    assert "bad.mp4: cannot be opened as a video" in result.err
    whole = (tmp_path / "x.csv").read_bytes()
    for length in range(len(whole) // 2, len(whole), 40):
        (tmp_path / "x.csv").write_bytes(whole[:length])
        run(*words, "--resume")
        assert (tmp_path / "x.csv").read_bytes() == whole


def test_without_every_videos_are_counted(run, season, model):
    result = run("classify", season, "--model", model)
    assert len(result.out.splitlines()) == 2
    assert "2 files not read: 2 .mp4; --every 1s of find and classify reads frames of .mp4" in result.err


def test_without_the_package_pictures_are_classified_all_the_same(run, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    Image.new("RGB", (6, 5), (250, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "clip.mp4").write_bytes(b"video")
    result = run("classify", tmp_path, "--model", model, "--every", "1s")
    assert result.status == 1
    assert len(result.out.splitlines()) == 1
    assert "clip.mp4: reading videos needs a package" in result.err
    assert 'pip install "cnnfast[video]"' in result.err


def test_a_video_is_copied_to_each_of_its_labels_and_drawn(run, season, model, tmp_path):
    words = ("--every", "0.5s", "--copy-to", tmp_path / "sorted", "--report", tmp_path / "sheet.html")
    assert run("classify", season, "--model", model, *words).status == 1
    found = sorted(path.relative_to(tmp_path / "sorted").as_posix() for path in (tmp_path / "sorted").rglob("*.MP4"))
    assert found == [f"{color}/cam/clip.MP4" for color in ("blue", "green", "red")]
    assert (tmp_path / "sheet.html").read_text().count("<img ") == 8


def thumbnails_of(page):
    """Return the mean color of the thumbnail of each card."""
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    colors = {}
    for card in json.loads(found[1])["cards"]:
        content = base64.b64decode(card["thumbnail"].partition("base64,")[2])
        colors[Path(card["path"]).name] = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).mean(axis=(0, 1))
    return colors


def test_frames_are_on_the_page_for_review(run, season, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--every", "1s", "--out", "x.csv", "--review", "with.html")
    result = run("classify", "season", "--model", model, *words)
    assert "a page to correct them: with.html\n" in result.err
    assert run("review", "x.csv").status == 0
    for page in ("with.html", "review.html"):
        colors = thumbnails_of(tmp_path / page)
        assert len(colors) == 5
        for name, color in zip((f"clip.MP4[{i}.000s]" for i in range(3)), COLORS, strict=True):
            np.testing.assert_allclose(colors[name], color, atol=25)
    (tmp_path / "season" / "cam" / "clip.MP4").write_bytes(b"no video any more")
    result = run("review", "x.csv")
    assert result.status == 1
    assert "clip.MP4: cannot be opened as a video" in result.err


def test_labels_of_frames_are_left_out_of_learning(season, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\nseason/cam/a.png,x\nseason/cam/clip.MP4[1.000s],y\n")
    with pytest.warns(UserWarning, match="1 of 2 rows are frames of videos and are left out"):
        (row,) = read_labels(tmp_path / "labels.csv")
    assert row.path.name == "a.png"
    (tmp_path / "labels.csv").write_text("path,label\nseason/cam/clip.MP4[1.000s],y\n")
    with pytest.raises(DataError, match="names only frames of videos"):
        read_labels(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--every", "0"), "must be a time like 1s"),
        (("--every", "1h"), "must be a time like 1s"),
        (("--every", "1s", "--move-to", "x"), "use --copy-to"),
        (("--every", "1s", "--out", "x.csv", "--format", "camtrap-dp", "--utc-offset", "Z"), "for each frame"),
    ],
)
def test_what_is_not_possible_is_said(run, season, model, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    result = run("classify", season, "--model", model, *words)
    assert result.status == 2
    assert said in result.err


def test_megadetectors_format_has_one_record_for_a_video(run, season, model, tmp_path):
    run("classify", season, "--model", model, "--every", "1s", "--out", tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    images = {Path(image["file"]).name: image for image in content["images"]}
    assert set(images) == {"a.png", "z.png", "clip.MP4", "bad.mp4"}
    clip = images["clip.MP4"]
    assert (clip["frame_rate"], clip["frames_processed"]) == (8, [0, 8, 16])
    assert [found["frame_number"] for found in clip["detections"]] == [0, 8, 16]
    assert [found["classifications"][0][0] for found in clip["detections"]] == ["0", "1", "2"]
    assert images["bad.mp4"]["detections"] is None
    assert "cannot be opened as a video" in images["bad.mp4"]["failure"]
    validate = pytest.importorskip(
        "megadetector.postprocessing.validate_batch_results", reason="megadetector is missing", exc_type=ImportError
    )
    result = validate.validate_batch_results(str(tmp_path / "x.json"))["validation_results"]
    assert result["errors"] == result["warnings"] == []
