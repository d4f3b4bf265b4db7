"""``cnnfast train`` and ``evaluate`` on a table of paths and labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Result
from PIL import Image
from train import bars

from cnnfast import Network

FAST = ("--architecture", "lenet", "--size", 16, "--epochs", 1, "--batch", 20)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of bars in one folder, with a table that says what each shows, and a folder per class."""
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    rows = ["file,kind"]
    for i, (image, label) in enumerate(zip(*bars.pictures(40, 0), strict=True)):
        kind = bars.CLASSES[label]
        for place in (tmp_path / "all" / f"{i:02}.png", tmp_path / "sorted" / kind / f"{i:02}.png"):
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.repeat(3, axis=2) if image.shape[2] == 1 else image).save(place)
        rows.append(f"all/{i:02}.png,{kind}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_table_teaches_what_folders_teach(pictures: Path, run: Callable[..., Result]) -> None:
    table = run("train", pictures / "labels.csv", "--columns", "file,kind", *FAST, "--out", pictures / "a.safetensors")
    assert table.status == 0, table.err
    folders = run("train", pictures / "sorted", *FAST, "--out", pictures / "b.safetensors")
    assert folders.status == 0, folders.err
    a, b = (Network.load(pictures / f"{name}.safetensors") for name in "ab")
    assert a.classes_.tolist() == b.classes_.tolist() == sorted(bars.CLASSES)
    measured = run("evaluate", pictures / "a.safetensors", pictures / "labels.csv", "--columns", "file,kind")
    assert "of 40 right" in measured.out


def test_columns_that_are_not_there_are_named(pictures: Path, run: Callable[..., Result]) -> None:
    result = run("train", pictures / "labels.csv", *FAST, "--out", pictures / "a.safetensors")
    assert result.status == 2
    assert "has no column of labels; its columns, named by the first row, are: 'file', 'kind'" in result.err
    result = run("train", pictures / "labels.csv", "--columns", "kind", *FAST, "--out", pictures / "a.safetensors")
    assert result.status == 2
    assert "must be two names with a comma between" in result.err


def test_one_class_is_nothing_to_learn(pictures: Path, run: Callable[..., Result]) -> None:
    (pictures / "labels.csv").write_text("path,label\nall/00.png,bar\nall/01.png,bar\n")
    result = run("train", pictures / "labels.csv", *FAST, "--out", pictures / "a.safetensors")
    assert result.status == 2
    assert "all images show bar, and a network learns to tell at least two classes apart" in result.err
