"""TIFFs of several pages: only the first is read, and the end of a run says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Result
from PIL import Image

TOLD = "TIFFs of several pages, of which only the first was read: "


@pytest.mark.parametrize("options", [(), ("--exif", "--out", "rows.csv"), ("--thumbnails",)])
def test_stacks_are_counted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    run: Callable[..., Result],
    options: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    red, green = Image.new("RGB", (16, 16), (250, 10, 20)), Image.new("RGB", (16, 16), (10, 240, 30))
    Path("in").mkdir()
    red.save("in/one.tif")
    result = run("classify", "in", "--model", model, *options)
    assert result.status == 0, result.err
    assert TOLD not in result.err
    for name in ("two.tif", "three.TIFF"):
        red.save(f"in/{name}", "TIFF", save_all=True, append_images=[green])
    result = run("classify", "in", "--model", model, *options, *(("--force",) if "--out" in options else ()))
    assert result.status == 0, result.err
    assert f"{TOLD}2\n" in result.err
