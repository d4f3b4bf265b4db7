"""``classify --watch``: pictures that arrive are classified once they are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import COLORS, Result
from PIL import Image
from systems import with_slashes


def saved(path: Path, color: str) -> None:
    Image.new("RGB", (6, 5), COLORS[color]).save(path)


@pytest.fixture
def arriving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which something happens at each pause; the last one is Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    saved(folder / "b.png", "red")
    whole = (folder / "b.png").read_bytes()

    def story() -> Iterator[None]:
        yield  # b.png does not change
        saved(folder / "a.png", "green")
        (folder / "c.png").write_bytes(whole[:20])
        yield  # nor does a.png, but c.png grows
        (folder / "c.png").write_bytes(whole)
        yield
        yield  # c.png is complete
        raise KeyboardInterrupt

    told = story()
    monkeypatch.setattr("cnnfast.cli.watch.time.sleep", lambda seconds: next(told))
    return folder


def test_what_arrives_is_classified_once_it_is_complete(
    arriving: Path, model: Path, run: Callable[..., Result]
) -> None:
    result = run("classify", "--watch", "in", "--model", model)
    assert result.status == 0, result.err
    lines = with_slashes(result.out).splitlines()
    assert [line.split("\t")[-1] for line in lines] == ["in/b.png", "in/a.png", "in/c.png"]
    assert result.err.count("watching in") == 1
    assert "watched: 3 pictures" in result.err


def test_rows_are_kept(arriving: Path, model: Path, run: Callable[..., Result]) -> None:
    result = run("classify", "--watch", "in", "--model", model, "--out", "rows.csv")
    assert result.status == 0, result.err
    lines = with_slashes(Path("rows.csv").read_text(encoding="utf-8")).splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["in/a.png", "in/b.png", "in/c.png"]
    assert [line.split(",")[1] for line in lines[1:]].count("red") == 2


def test_only_folders_are_watched(arriving: Path, model: Path, run: Callable[..., Result]) -> None:
    assert "in/b.png is not a folder" in run("classify", "--watch", "in/b.png", "--model", model).err
    assert "does not go with --move-to" in run("classify", "--watch", "in", "--move-to", "x", "--model", model).err


def test_videos_that_arrive_are_looked_at_too(
    arriving: Path, model: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open("in/clip.mp4", "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        red = np.full((48, 64, 3), COLORS["red"], np.uint8)
        for _ in range(10):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        video.mux(stream.encode())
    result = run("classify", "--watch", "in", "--model", model, "--every", "1s", "--out", "rows.csv")
    assert result.status == 0, result.err
    lines = Path("rows.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:] if "clip" in line) == [
        "in/clip.mp4[0.000s]",
        "in/clip.mp4[1.000s]",
    ]
    assert "watched: 4 pictures and videos" in result.err


def test_it_is_said_what_was_not_looked_at(arriving: Path, model: Path, run: Callable[..., Result]) -> None:
    Path("in/clip.mp4").write_bytes(b"video")
    result = run("classify", "--watch", "in", "--model", model)
    assert "1 file not read: 1 .mp4" in result.err
