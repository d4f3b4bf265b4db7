"""``cnnfast classify`` on tables, as in a shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from cli.conftest import COLORS, Result

Run = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    names = ["red", "green", "blue", "red"]
    for name in set(names):
        Image.new("RGB", (6, 5), COLORS[name]).save(tmp_path / f"{name}.png")
    pictures = [*((tmp_path / f"{name}.png").read_bytes() for name in names), None]
    path = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"id": range(5), "content": pictures, "raw": pictures, "label": [*names, "none"]}), path)
    return path


def test_a_table_becomes_a_table(table: Path, model: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    words = ("classify", table, "--model", model, "--column", "content", "--keep", "id", "--out", out)
    result = run(*words)
    assert result.status == 1
    assert result.out == ""
    assert "1 could not be read:\n  row 4: is null\n4 classified: red 2, " in result.err
    assert result.err.endswith("; 1 unreadable\n")
    assert pq.read_table(out).select(["id", "label"]).to_pylist() == [
        {"id": i, "label": label} for i, label in enumerate(["red", "green", "blue", "red", None])
    ]
    assert "exists already; use resume=True (--resume)" in run(*words).err
    assert run(*words, "--resume").status == 1
    assert run(*words, "--force", "--top", 2, "--probabilities").status == 1
    assert pq.read_table(out).column_names == [
        *("id", "label_1", "probability_1", "label_2", "probability_2", "probabilities", "error")
    ]


def test_a_folder_and_feather_with_a_prefix(table: Path, model: Path, run: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "data", tmp_path / "out.feather"
    folder.mkdir()
    table.rename(folder / "part-0.parquet")
    result = run("classify", folder, "--model", model, "--column", "raw", "--out", out, "--prefix", "p_")
    assert result.status == 1
    assert feather.read_table(out).column_names == ["id", "content", "label", "p_label", "p_probability", "p_error"]


def test_what_does_not_fit_is_an_error(table: Path, model: Path, run: Run, tmp_path: Path, album: Path) -> None:
    def error(*words: object) -> str:
        result = run("classify", *words, "--model", model)
        assert result.status == 2
        return result.err

    out = tmp_path / "out.parquet"
    assert "name it with --out FILE, which ends in .parquet, .feather, .arrow or .ipc" in error(table)
    assert "2 columns could have them (content, raw)" in error(table, "--out", out)
    assert "the kept column 'label' has the name of a column of results" in error(
        table, "--out", out, "--column", "raw"
    )
    assert "--report is for files of pictures" in error(table, "--out", out, "--report", tmp_path / "a.png")
    assert "--split is for data sets" in error(table, "--out", out, "--split", "train")
    assert "--column is for tables" in error(album, "--column", "content")
    assert "such a table is made of a table" in error(album, "--out", out.with_suffix(".feather"))
    assert "classify tables and pictures apart" in error(table, album, "--out", out)
    assert "no such file or folder" in error(tmp_path / "missing.png")
    assert "No such file" in error(tmp_path / "missing.parquet", "--out", out)
    found: Any = run("find", "red", table, "--model", model)
    assert "is a table of pictures; cnnfast classify reads" in found.err
    assert not out.exists()
    assert not (tmp_path / "out.parquet.parts").exists()
