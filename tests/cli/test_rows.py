"""What other programs read of a run: rows with odd names, JSON on stdout, lists of paths, rows after more pictures."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from systems import posix

from cnnfast.runtime import escapes
from cnnfast.runtime.escapes import as_text, from_text, in_line

ODD = [
    b"caf\xe9.png", b"\xff\xfe.png", b"two\nlines.png", b"tab\there.png", b"ca\rriage.png", b"\\x41.png", b"\\xff.png",
    b"quote\".png", b"a,b.png", "\u00e4\u4e2d\U0001f408.png".encode(), b"\x1b[31m.png", b"\xed\xb3\xbf.png",
    "\u0085.png".encode(),
]  # fmt: skip
NAMES = [name.decode("utf-8", "surrogateescape") for name in ODD]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Pictures of one color whose names are not what a program expects."""
    if os.name != "posix":
        pytest.skip("there are no such names")
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ODD:
        Image.new("RGB", (5, 5), (250, 9, 9)).save(folder / "new.png")
        os.rename(folder / "new.png", os.fsencode(folder) + b"/" + name)
    return folder


@posix
@pytest.mark.parametrize("name", [*NAMES, r"\x5c\x5cx41", "\\", "\\x", "\\\udcff"])
def test_every_name_is_read_back(name):
    for written in (as_text(name), in_line(name)):
        assert from_text(written) == name
    as_text(name).encode()
    assert len(in_line(name).splitlines()) == 1
    assert "\t" not in in_line(name)


def test_backslashes_of_windows_are_no_escapes(monkeypatch):
    monkeypatch.setattr(escapes, "BACKSLASH_SEPARATES", True)
    name = r"C:\photos\xab.png"
    assert as_text(name) == in_line(name) == from_text(name) == name


def test_pandas_and_polars_read_every_row(run, odd, model, tmp_path):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for suffix in ("csv", "jsonl"):
        run("classify", odd, "--model", model, "--out", tmp_path / f"x.{suffix}")
    tables = {
        "pandas csv": pandas.read_csv(tmp_path / "x.csv")["picture"].tolist(),
        "pandas jsonl": pandas.read_json(tmp_path / "x.jsonl", lines=True)["picture"].tolist(),
        "polars csv": polars.read_csv(tmp_path / "x.csv")["picture"].to_list(),
        "polars jsonl": polars.read_ndjson(tmp_path / "x.jsonl")["picture"].to_list(),
    }
    for which, names in tables.items():
        assert {os.fsencode(from_text(name)) for name in names} == {os.fsencode(odd) + b"/" + name for name in ODD}, (
            which
        )


def test_lines_on_stdout_are_one_for_each_picture(run, odd, model):
    lines = run("find", "red", odd, "--model", model).out.removesuffix("\n").split("\n")
    assert len(lines) == len(ODD)
    assert all(line.count("\t") == 1 for line in lines)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_odd_names_are_resumed(run, odd, model, tmp_path, suffix):
    words = ("classify", odd, "--model", model, "--out", tmp_path / f"x.{suffix}")
    run(*words)
    whole = (tmp_path / f"x.{suffix}").read_bytes()
    for length in range(len(whole) // 3, len(whole), len(whole) // 5):
        (tmp_path / f"x.{suffix}").write_bytes(whole[:length])
        assert run(*words, "--resume").status == 0
        assert (tmp_path / f"x.{suffix}").read_bytes() == whole


def test_an_unreadable_file_with_an_odd_name_is_one_line_of_the_summary(run, odd, model):
    (odd / "bad\n\t.png").write_bytes(b"no picture")
    said = run("find", "red", odd, "--model", model).err
    assert "/bad\\x0a\\x09.png: not a picture" in said


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_resume_does_new_pictures_after_the_folder_has_grown(run, album, model, tmp_path, suffix):
    out = tmp_path / f"x.{suffix}"
    words = ("classify", album, "--model", model, "--out", out)
    run(*words)
    before = out.read_bytes()
    for name in ("a/first.png", "b/3a.png", "c/new.png"):
        (album / "c").mkdir(exist_ok=True)
        Image.new("RGB", (5, 5), (250, 9, 9)).save(album / name)
    (album / "b" / "5.png").unlink()
    result = run(*words, "--resume")
    after = out.read_bytes()
    assert after.startswith(before)
    told = [Path(line.split("\t")[-1]) for line in result.out.splitlines()]
    assert [path.relative_to(album).as_posix() for path in told] == [
        "a/first.png", "b/3a.png", "c/new.png",
    ]  # fmt: skip
    assert "rows of pictures that are no longer there, which are kept: 1" in result.err
    assert result.err.splitlines()[-1].startswith("14 classified")
    assert run(*words, "--resume").out == ""
    assert out.read_bytes() == after
    out.write_bytes(after[: len(before) + 5])
    run(*words, "--resume")
    assert out.read_bytes() == after


def test_json_on_stdout(run, album, model):
    result = run("find", "red", album / "b", "--model", model, "--json")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [Path(record["picture"]).name for record in records] == ["0.png", "2.png", "3.png"]
    assert [set(record) for record in records] == [
        {"picture", "probability", "found"}, {"picture", "error"}, {"picture", "probability", "found"},
    ]  # fmt: skip


def test_rows_on_stdout(run, album, model, tmp_path):
    for suffix, more in (("csv", ()), ("jsonl", ("--json",))):
        run("classify", album, "--model", model, "--out", tmp_path / f"x.{suffix}", "--quiet")
        result = run("classify", album, "--model", model, "--out", "-", *more)
        assert result.out.encode() == (tmp_path / f"x.{suffix}").read_bytes()
    assert "needs --out FILE" in run("classify", album, "--model", model, "--out", "-", "--resume").err


def test_quiet_names_only_what_went_wrong(run, album, model):
    result = run("classify", album, "--model", model, "--quiet")
    assert result.out == ""
    assert [Path(line.rsplit(":", 1)[0]).name for line in result.err.splitlines()] == ["1 could not be read", "2.png"]
    assert run("classify", album / "a", "--model", model, "--quiet") == (0, "", "")


@pytest.mark.parametrize("separator", [b"\n", b"\0", b"\r\n"])
def test_paths_come_from_a_file_or_from_standard_input(run, odd, album, model, tmp_path, monkeypatch, separator):
    names = [os.fsencode(album) + b"/b/0.png", os.fsencode(album / "a")]
    names += [os.fsencode(odd) + b"/two\nlines.png", os.fsencode(odd) + b"/caf\xe9.png"] if separator == b"\0" else []
    content = separator.join(names) + separator
    (tmp_path / "list").write_bytes(content)
    result = run("classify", "--files-from", tmp_path / "list", "--model", model)
    assert result.status == 0
    assert len(result.out.splitlines()) == 5 + len(names)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    assert run("classify", "--files-from", "-", "--model", model).out == result.out


def test_no_path_at_all_is_an_error(run, model, tmp_path):
    assert "no PATH is named; name pictures" in run("classify", "--model", model).err
    (tmp_path / "list").touch()
    assert "list holds none" in run("find", "red", "--files-from", tmp_path / "list", "--model", model).err
    assert "cannot be read: No such file" in run("find", "red", "--files-from", "absent", "--model", model).err


def test_several_classes_are_found_by_the_sum_of_their_probabilities(run, album, model, tmp_path):
    result = run("find", "red, BLUES", album / "b", "--model", model, "--out", tmp_path / "x.jsonl")
    assert [line.split()[0] for line in result.out.splitlines()] == ["red", "red", "blue"]
    assert "3 of 5 found: red or blue with a probability above 0.5" in result.err
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row.get("label") for row in rows] == ["red", "blue", None, "red", "blue", "blue"]
    assert "no class 'dog'" in run("find", "red,dog", album / "b", "--model", model).err
