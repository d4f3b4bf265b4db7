"""``find`` and ``classify``: what is printed, copied, linked and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from systems import posix, with_slashes

from cnnfast.data.cifar10 import CLASSES


def names(out: str, album: Path) -> list[str]:
    """Return the pictures of ``b``, whose names hold no line ends."""
    folder = with_slashes(album)
    lines = with_slashes(out).splitlines()
    return [line.split("\t")[-1].removeprefix(f"{folder}/") for line in lines if f"{folder}/b/" in line]


def test_find_prints_what_it_found_and_names_what_it_could_not_read(run, album, model):
    result = run("find", "red", album, "--model", model)
    assert result.status == 1
    assert names(result.out, album) == ["b/0.png", "b/3.png"]
    assert "1 could not be read:" in result.err
    assert f"  {album / 'b' / '2.png'}: not a picture" in result.err
    assert result.err.splitlines()[-1].startswith("4 of 11 found: red with a probability above 0.5; ")
    assert result.err.endswith("; 1 unreadable\n")


@pytest.mark.parametrize(("threshold", "found"), [(0, 5), (0.99, 0)])
def test_the_threshold_decides(run, album, model, threshold, found):
    result = run("find", "RED", album / "b", "--model", model, "--threshold", threshold)
    assert len(names(result.out, album)) == found


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
@pytest.mark.parametrize("threads", [1, 2])
def test_batch_and_threads_change_nothing(run, album, model, batch, threads):
    result = run("find", "blue", album, "--model", model, "--batch", batch, "--threads", threads)
    assert result.out == run("find", "blue", album, "--model", model).out


def test_classify_ranks_labels(run, album, model):
    result = run("classify", album / "b" / "1.png", "--model", model, "--top", 3)
    assert result.status == 0
    label, *others = result.out.split("\t")[:-1]
    assert label.startswith("green 0.9")
    assert {other.split()[0] for other in others} == {"red", "blue"}


def test_rows_of_csv_and_jsonl(run, album, model, tmp_path):
    run("classify", album / "b", "--model", model, "--top", 2, "--out", tmp_path / "x.csv")
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == "picture,label_1,probability_1,label_2,probability_2,error"
    assert lines[1].startswith(f"{album / 'b' / '0.png'},red,0.9")
    assert lines[3] == f"{album / 'b' / '2.png'},,,,,not a picture in a format that Pillow can read"
    run("find", "red", album / "b", "--model", model, "--out", tmp_path / "x.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row.get("found") for row in rows] == [True, False, None, True, False, False]
    assert set(rows[2]) == {"picture", "error"}


def test_an_existing_file_is_refused_or_replaced_on_request(run, album, model, tmp_path):
    words = ("find", "red", album / "b", "--model", model, "--out", tmp_path / "x.csv")
    run(*words)
    first = (tmp_path / "x.csv").read_bytes()
    assert "--resume" in run(*words).err
    assert run(*words, "--force").status == 1
    assert (tmp_path / "x.csv").read_bytes() == first


@posix
def test_links_lead_to_the_pictures(run, album, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run("classify", "album/b", "--model", model, "--link-to", "sorted")
        assert sorted(p.relative_to("sorted").as_posix() for p in Path("sorted").rglob("*.png")) == [
            "blue/5.png", "green/1.png", "green/4.png", "red/0.png", "red/3.png", "unreadable/2.png",
        ]  # fmt: skip
    assert Path("sorted/blue/5.png").read_bytes() == (album / "b" / "5.png").read_bytes()


def test_data_sets_are_searched_and_copied_as_png(run, model, tmp_path):
    images = np.zeros((5, 8, 8, 3), np.uint8)
    images[1::2, ..., 2] = 255
    np.savez(tmp_path / "set.npz", images=images)
    result = run("find", "blue", tmp_path / "set.npz", "--model", model, "--copy-to", tmp_path / "blues")
    assert [Path(line.split("\t")[-1]).name for line in result.out.splitlines()] == ["set.npz[1]", "set.npz[3]"]
    with Image.open(tmp_path / "blues" / "set.npz[3].png") as copy:
        assert (np.asarray(copy) == images[3]).all()
    refused = run("find", "blue", tmp_path / "set.npz", "--model", model, "--link-to", tmp_path / "blues")
    assert "have no files to link to" in refused.err


def test_the_official_file_of_cifar10_is_searched(run, model, tmp_path):
    records = np.zeros((3, 3073), np.uint8)
    records[2, 1:1025] = 255
    records.tofile(tmp_path / "data_batch_1.bin")
    assert len(CLASSES) == 10
    result = run("find", "red", tmp_path / "data_batch_1.bin", "--model", model)
    assert result.out.endswith("data_batch_1.bin[2]\n")


def test_floats_and_pixels_in_one_run(run, model, tmp_path):
    np.save(tmp_path / "floats.npy", np.array([[[[1.0, 0, 0]] * 4] * 4] * 2, np.float32))
    np.save(tmp_path / "pixels.npy", np.full((2, 4, 4, 3), (255, 0, 0), np.uint8))
    result = run("find", "red", tmp_path / "floats.npy", tmp_path / "pixels.npy", "--model", model)
    first = [line.split("\t")[0] for line in result.out.splitlines()]
    assert len(first) == 4
    assert len(set(first)) == 1


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_the_report_is_drawn(run, album, model, tmp_path, suffix):
    result = run("find", "red", album, "--model", model, "--report", tmp_path / f"sheet.{suffix}")
    assert f"contact sheet: {tmp_path / 'sheet'}.{suffix}" in result.err
    assert (tmp_path / f"sheet.{suffix}").stat().st_size > 1000


def test_all_odd_pictures_are_classified_or_named(run, shared_data, model):
    result = run("classify", shared_data / "odd-images", "--model", model)
    pictures = {p.name for p in (shared_data / "odd-images").iterdir() if p.name != "LICENSE"}
    classified = {Path(line.split("\t")[-1]).name for line in result.out.splitlines()}
    refused = {Path(line.split(": ")[0].strip()).name for line in result.err.splitlines() if line.startswith("  ")}
    assert classified | refused == pictures
    assert not classified & refused
    assert result.status == 1


def test_the_network_of_cs61c_finds_cats_and_dogs_apart(run, shared_data):
    folder = shared_data / "catsdogs" / "test_set" / "cats"
    result = run("find", "cat", folder, "--model", shared_data / "cs61c" / "snapshot")
    assert result.status == 0
    assert len(result.out.splitlines()) > 100
