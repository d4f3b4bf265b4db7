"""An interrupted run that is resumed gives the bytes of an undisturbed one, wherever it was interrupted."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from cli.test_main import start
from PIL import Image
from systems import posix

from cnnfast.cli.records import Csv, Row
from cnnfast.runtime.claims import claimed

SUFFIXES = ("csv", "jsonl")


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".run.json")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_off_at_any_byte_is_completed(run, album, model, tmp_path, suffix):
    words = ("find", "red", album, "--model", model, "--batch", 2)
    whole = run(*words, "--out", tmp_path / f"whole.{suffix}")
    expected = (tmp_path / f"whole.{suffix}").read_bytes()
    torn = tmp_path / f"torn.{suffix}"
    shutil.copy(sidecar(tmp_path / f"whole.{suffix}"), sidecar(torn))
    for length in range(0, len(expected) + 1, 7):
        torn.write_bytes(expected[:length])
        resumed = run(*words, "--out", torn, "--resume")
        assert torn.read_bytes() == expected, length
        assert resumed.status == whole.status == 1
        assert resumed.err.splitlines()[-1].split(";")[0] == whole.err.splitlines()[-1].split(";")[0]


@posix
def test_a_name_that_is_no_text_survives(run, album, model, tmp_path):
    strange = os.fsdecode(os.fsencode(album / "b") + b"/\xff\xfe.png")
    shutil.copy(album / "b" / "0.png", strange)
    for suffix in SUFFIXES:
        words = ("classify", album / "b", "--model", model, "--out", tmp_path / f"x.{suffix}")
        run(*words)
        expected = (tmp_path / f"x.{suffix}").read_bytes()
        (tmp_path / f"x.{suffix}").write_bytes(expected[:-3])
        run(*words, "--resume")
        assert (tmp_path / f"x.{suffix}").read_bytes() == expected


def test_resuming_nothing_starts_and_resuming_all_does_nothing(run, album, model, tmp_path):
    words = ("find", "red", album, "--model", model, "--out", tmp_path / "x.csv", "--resume")
    first = run(*words)
    content = (tmp_path / "x.csv").read_bytes()
    second = run(*words)
    assert second.out == ""
    assert first.out
    assert (tmp_path / "x.csv").read_bytes() == content


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("find", "blue", "{album}", "--model", "{model}"), "class = 'red', and now class = 'blue'"),
        (("find", "red", "{album}", "--model", "{model}", "--threshold", "0.6"), "threshold = 0.5"),
        (("classify", "{album}", "--model", "{model}"), "command = 'find'"),
        (("find", "red", "{album}/b", "--model", "{model}"), "its row 1 is about"),
    ],
)
def test_another_run_is_not_resumed(run, album, model, tmp_path, changed, said):
    out = tmp_path / "x.csv"
    run("find", "red", album, "--model", model, "--out", out)
    content = out.read_bytes()
    result = run(*(word.format(album=album, model=model) for word in changed), "--out", out, "--resume")
    assert result.status == 2
    assert said in result.err
    assert out.read_bytes() == content


def test_another_way_to_decode_is_not_resumed(run, album, model, tmp_path):
    out = tmp_path / "x.csv"
    words = ("find", "red", album, "--model", model, "--out", out)
    run(*words, "--decode", "full")
    assert "decode = 'full', and now decode = None" in run(*words, "--resume").err
    assert run(*words, "--resume", "--decode", "full").status == 1


def test_another_network_is_not_resumed_but_the_same_under_another_name_is(run, album, model, tmp_path):
    out = tmp_path / "x.csv"
    run("find", "red", album, "--model", model, "--out", out)
    shutil.copy(model, tmp_path / "other.safetensors")
    assert run("find", "red", album, "--model", tmp_path / "other.safetensors", "--out", out, "--resume").status == 1
    settings = json.loads(sidecar(out).read_text())
    sidecar(out).write_text(json.dumps({**settings, "model_sha256": "0"}))
    assert "model_sha256" in run("find", "red", album, "--model", model, "--out", out, "--resume").err
    sidecar(out).unlink()
    assert "is missing" in run("find", "red", album, "--model", model, "--out", out, "--resume").err


def test_damaged_rows_are_not_resumed(run, album, model, tmp_path):
    out = tmp_path / "x.csv"
    words = ("find", "red", album, "--model", model, "--out", out)
    run(*words)
    content = out.read_bytes()
    for damaged in (b"a,b\n" + content, content + b"one,two\n"):
        out.write_bytes(damaged)
        result = run(*words, "--resume")
        assert result.status == 2
        assert "--force" in result.err


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ctrl_c_and_resume_give_the_file_of_an_undisturbed_run(run, model, tmp_path, suffix):
    np.save(tmp_path / "many.npy", np.random.default_rng(0).integers(0, 256, (4000, 4, 4, 3), np.uint8))
    out, whole = tmp_path / f"out.{suffix}", tmp_path / f"whole.{suffix}"
    words = ("find", "red", tmp_path / "many.npy", "--model", model, "--threshold", 0, "--batch", 32)
    # Nobody reads the pipe, so the run stops when it is full: the interruption comes in the middle on any machine.
    process = start(*words, "--out", out, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    size = -1
    while time.monotonic() < deadline and (size <= 200 or size != out.stat().st_size):
        size = out.stat().st_size if out.exists() else -1
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"cnnfast find --resume red" in said
    run(*words, "--out", whole)
    expected = whole.read_bytes()
    rows = out.read_bytes()
    assert 200 < len(rows) < len(expected)
    assert expected.startswith(rows)
    assert run(*words, "--out", out, "--resume").status == 0
    assert out.read_bytes() == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (lambda content: content.replace(b"\n", b"\r\n"), "line ends of Windows"),
        (lambda content: b"\xef\xbb\xbf" + content, "a byte order mark"),
        (
            lambda content: content.replace(b",false", b',"false"', 1).replace(b": false", b":  false", 1),
            "been changed",
        ),
    ],
)
def test_a_file_that_another_program_has_saved_is_not_resumed(run, album, model, tmp_path, suffix, saved, said):
    out = tmp_path / f"x.{suffix}"
    words = ("find", "red", album / "b", "--model", model, "--out", out)
    run(*words)
    content = saved(out.read_bytes())
    out.write_bytes(content)
    result = run(*words, "--resume")
    assert result.status == 2
    assert said in result.err
    assert "--force" in result.err
    assert out.read_bytes() == content


HARMLESS = {
    "=1+1.png": "'=1+1.png",
    "@SUM(A1).png": "'@SUM(A1).png",
    "+2.png": "'+2.png",
    "-dash.png": "'-dash.png",
    "\tcmd.png": "'\tcmd.png",
    "＝1.png": "'＝1.png",
    "'=1.png": "''=1.png",
    "'apostrophe.png": "'apostrophe.png",
    "a=1.png": "a=1.png",
    "-5": "-5",
    "+1e3": "+1e3",
}
"""Names of pictures, and the cells that a spreadsheet gets."""


@posix
def test_no_cell_is_a_formula_and_names_are_read_back(run, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in HARMLESS:
        Image.new("RGB", (4, 4), (250, 10, 20)).save(tmp_path / name, "PNG")
    (tmp_path / "=no.png").write_bytes(b"no picture")
    words = ("classify", "--model", model, "--out", "x.csv", "--", *HARMLESS, "=no.png")
    assert run(*words).status == 1
    content = (tmp_path / "x.csv").read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    assert [row[0] for row in rows] == [*HARMLESS.values(), "'=no.png"]
    assert all(0 < float(row[2]) < 1 for row in rows[:-1])
    for length in (len(content), len(content) - 2, len(content) // 2):
        (tmp_path / "x.csv").write_bytes(content[:length])
        assert run(words[0], "--resume", *words[1:]).status == 1
        assert (tmp_path / "x.csv").read_bytes() == content


def test_a_label_that_is_a_formula_is_a_cell_of_text(tmp_path):
    layout = Csv(("label", "probability"))
    row = Row("a.png", ("=cmd|' /C calc'!A0", 0.25), None)
    assert layout.encode(row) == b"a.png,'=cmd|' /C calc'!A0,0.25,\n"
    assert layout.decode(layout.encode(row)).cells[0] == row.cells[0]


@posix
def test_rows_go_through_a_link_and_stay_there(run, album, model, tmp_path):
    words = ("classify", album / "a", "--model", model)
    run(*words, "--out", tmp_path / "plain.csv")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (link := tmp_path / "link.csv").symlink_to("elsewhere/rows.csv")
    for how in ((), ("--force",), ("--resume",)):
        run(*words, "--out", link, *how)
        assert link.is_symlink()
        assert (elsewhere / "rows.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


@posix
@pytest.mark.parametrize("how", [(), ("--force",), ("--resume",)])
@pytest.mark.parametrize("words", [("--out", "x.csv"), ("--out", "y.jsonl", "--report", "x.html")])
def test_a_pipe_or_a_device_is_never_replaced_nor_opened(run, album, model, tmp_path, monkeypatch, how, words):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(pipe := tmp_path / words[-1])
    result = run("classify", album / "a", "--model", model, *words, *how)
    assert result.status == 2
    assert f"{pipe.name}: is a device or a pipe, which is not replaced" in result.err
    assert pipe.is_fifo()


def test_a_picture_of_the_longest_name_is_copied(run, album, model, tmp_path):
    name = "n" * 251 + ".png"
    shutil.copy(album / "b" / "0.png", album / "b" / name)
    run("classify", album / "b" / name, "--model", model, "--copy-to", tmp_path / "shelf")
    assert [path.name for path in (tmp_path / "shelf").rglob("*.png")] == [name]


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "{", ""])
def test_settings_that_are_none_are_refused(run, album, model, tmp_path, content):
    words = ("classify", album / "a", "--model", model, "--out", tmp_path / "x.csv")
    run(*words)
    sidecar(tmp_path / "x.csv").write_text(content)
    result = run(*words, "--resume")
    assert result.status == 2
    assert "x.csv.run.json, which says how it was made, is missing or damaged" in result.err


def test_one_run_at_a_time_writes_a_file(run, album, model, tmp_path):
    rows = tmp_path / "rows.csv"
    with claimed(tmp_path / "rows.csv.running"):
        result = run("classify", album, "--model", model, "--out", rows)
        assert result.status == 2
        assert "another run is at work here" in result.err
    assert run("classify", album, "--model", model, "--out", rows).status == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("rows")) == [
        "rows.csv",
        "rows.csv.run.json",
    ]


def test_an_error_of_an_earlier_run_is_told_as_one(run, album, model, tmp_path):
    words = ("classify", album, "--model", model, "--out", tmp_path / "rows.csv")
    assert "an earlier run" not in run(*words).err
    assert "(so an earlier run found it; --force reads all again)" in run(*words, "--resume").err
    assert "earlier run" not in (tmp_path / "rows.csv").read_text()


@posix
def test_rows_that_the_disk_has_no_room_for_are_named(run, album, model, tmp_path):
    import resource

    words = ("classify", album, "--model", model, "--out", tmp_path / "rows.csv", "--batch", 2)
    undisturbed = run(*words, "--quiet")
    whole = (tmp_path / "rows.csv").read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "rows.csv").unlink()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, before[1]))
        result = run(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.status == 2
    assert "rows.csv: cannot be written: File too large; the rows until there are kept" in result.err
    assert run(*words, "--resume", "--quiet").status == undisturbed.status
    assert (tmp_path / "rows.csv").read_bytes() == whole
