"""What is not read is said, and a run that finds nothing to read is an error, in every command."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["find red", "classify", "evaluate"])
def test_a_folder_without_a_picture_is_an_error(run, model, tmp_path, command):
    (tmp_path / "folder" / "red").mkdir(parents=True)
    (tmp_path / "folder" / "red" / "clip.mp4").touch()
    words = command.split()
    named = [model, tmp_path / "folder"] if command == "evaluate" else [tmp_path / "folder", "--model", model]
    result = run(*words, *named)
    assert result.status == 2
    assert "holds no picture" in result.err
    assert "1 file not read: 1 .mp4" in result.err


def test_no_file_of_rows_is_begun_where_nothing_is_read(run, model, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("classify", tmp_path / "empty", "--model", model, "--out", tmp_path / "x.csv")
    assert result.status == 2
    assert "empty: holds no picture; files with these suffixes are read: " in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_what_is_skipped_is_counted_once(run, album, model, tmp_path):
    for name in ("a/notes.txt", "a/more.TXT", "b/one.xyz"):
        (album / name).touch()
    for words in (("find", "red"), ("classify", "--batch", 2, "--out", tmp_path / "x.csv", "--resume")):
        result = run(*words, album / "a", album / "b", "--model", model)
        assert result.err.count("3 files not read: 2 .txt, 1 .xyz") == 1
    for name in ("red", "green"):
        (tmp_path / "labeled" / name).mkdir(parents=True)
        (album / "b" / "0.png").rename(tmp_path / "labeled" / "red" / "0.png") if name == "red" else None
    (tmp_path / "labeled" / "green" / "0.xyz").touch()
    assert "1 file not read: 1 .xyz" in run("evaluate", model, tmp_path / "labeled").err


def test_a_picture_without_a_suffix_is_classified(run, album, model):
    (album / "b" / "0.png").rename(album / "b" / "IMG_0")
    result = run("find", "red", album / "b", "--model", model)
    assert [Path(line.split("\t")[-1]).name for line in result.out.splitlines()] == ["3.png", "IMG_0"]
