"""``--copy-to``, ``--link-to``, ``--move-to``: where pictures are afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from systems import posix, with_slashes

from cnnfast import Network, Preprocess
from cnnfast.layers import Flatten, GlobalAvgPool, Linear, Softmax


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """Two cameras that have given their pictures the same names; one is broken, one is between two colors."""
    folder = tmp_path / "season"
    colors = {
        "cam1/1.png": (250, 0, 0),
        "cam1/2.png": (0, 250, 0),
        "cam2/1.png": (250, 9, 9),
        "cam2/3.png": (90, 70, 0),
    }
    for name, color in colors.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 5), color).save(folder / name)
    (folder / "cam2" / "4.jpg").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("how", ["copy", pytest.param("link", marks=posix), "move"])
def test_folders_are_kept(run, season, model, tmp_path, how):
    before = {name: (season / name).read_bytes() for name in tree(season)}
    result = run("classify", season, "--model", model, f"--{how}-to", tmp_path / "sorted", "--unsure", 0.6)
    assert result.status == 1
    where = {"cam1/1.png": "red", "cam1/2.png": "green", "cam2/1.png": "red", "cam2/3.png": "unsure"}
    where["cam2/4.jpg"] = "unreadable"
    assert tree(tmp_path / "sorted") == sorted(f"{folder}/{name}" for name, folder in where.items())
    for name, folder in where.items():
        assert (tmp_path / "sorted" / folder / name).read_bytes() == before[name]
        assert (tmp_path / "sorted" / folder / name).is_symlink() == (how == "link")
    assert tree(season) == ([] if how == "move" else sorted(before))


@pytest.mark.parametrize("how", ["copy", pytest.param("link", marks=posix), "move"])
def test_flat_keeps_all_pictures_under_free_names(run, season, model, tmp_path, how):
    for _ in range(2):
        run("find", "red", season, "--model", model, f"--{how}-to", tmp_path / "reds", "--flat", "--threshold", 0.9)
        assert tree(tmp_path / "reds") == ["1-2.png", "1.png", "unreadable/4.jpg"]


def test_a_picture_named_itself_has_no_folders(run, season, model, tmp_path):
    named = [season / "cam1" / "1.png", season / "cam2" / "1.png"]
    run("find", "red", *named, "--model", model, "--copy-to", tmp_path / "reds")
    assert tree(tmp_path / "reds") == ["1-2.png", "1.png"]


def test_find_sorts_several_classes_and_what_is_nearly_found(run, season, model, tmp_path):
    words = ("find", "red,blue", season, "--model", model, "--threshold", 0.9, "--unsure", 0.5)
    run(*words, "--copy-to", tmp_path / "found")
    assert tree(tmp_path / "found") == [
        "red/cam1/1.png", "red/cam2/1.png", "unreadable/cam2/4.jpg", "unsure/cam2/3.png",
    ]  # fmt: skip


def test_a_second_run_says_what_is_left_of_the_first(run, season, model, tmp_path):
    words = ("find", "red", season, "--model", model, "--copy-to", tmp_path / "reds")
    assert "earlier run" not in run(*words, "--threshold", 0.5).err
    assert "earlier run" not in run(*words, "--threshold", 0.5).err
    said = with_slashes(run(*words, "--threshold", 0.9).err)
    reds = with_slashes(tmp_path / "reds")
    assert f"{reds}: 1 file of an earlier run is still there, which this run does not put there; the first" in said
    assert f"the first is {reds}/cam2/3.png" in said


def test_a_class_may_be_called_as_one_of_our_folders(run, season, tmp_path):
    layers = [GlobalAvgPool(), Flatten(), Linear(np.eye(3) * 4, np.zeros(3)), Softmax()]
    net = Network.from_layers(layers, (3, 4, 4), classes=["unsure", "a/b", ".c"], preprocess=Preprocess(size=(4, 4)))
    net.save(tmp_path / "odd.safetensors")
    words = ("--model", tmp_path / "odd.safetensors", "--unsure", 0.6, "--copy-to", tmp_path / "sorted")
    run("classify", season, *words)
    assert {path.name for path in (tmp_path / "sorted").iterdir()} == {"unsure", "a_b", "_unsure", "unreadable"}


@pytest.mark.parametrize("option", ["--flat", "--unsure=0.5"])
def test_options_of_copies_need_a_folder(run, season, model, option):
    result = run("classify", season, "--model", model, option)
    assert result.status == 2
    assert f"{option.split('=')[0]} is about the folder of --copy-to, --link-to or --move-to" in result.err


def test_what_was_moved_has_rows_and_the_rest_is_moved_by_resume(run, season, model, tmp_path):
    rest = [path for path in season.rglob("*.png") if path.name != "1.png"]
    kept = {path: path.read_bytes() for path in rest}
    words = ("classify", season, "--model", model, "--out", tmp_path / "rows.jsonl", "--move-to", tmp_path / "sorted")
    run(*words)
    rows = (tmp_path / "rows.jsonl").read_bytes()
    moved = tree(tmp_path / "sorted")
    # as a kill leaves it between writing the rows and moving the pictures
    for path, content in kept.items():
        path.write_bytes(content)
        next((tmp_path / "sorted").rglob(path.name)).unlink()
    result = run(*words, "--resume")
    assert tree(tmp_path / "sorted") == moved
    assert (tmp_path / "rows.jsonl").read_bytes() == rows
    assert tree(season) == []
    assert "rows of pictures that are no longer there, which are kept: 3" in result.err


def test_a_moved_picture_is_drawn_in_the_report(run, season, model, tmp_path):
    words = ("--report", tmp_path / "sheet.html", "--move-to", tmp_path / "sorted")
    result = run("classify", season / "cam1", "--model", model, *words)
    assert result.status == 0
    assert (tmp_path / "sheet.html").read_text().count("<img ") == 2


@posix
def test_a_link_that_is_moved_still_leads_to_its_picture(run, season, model, tmp_path):
    (season / "cam2" / "link.png").symlink_to("../cam1/1.png")
    run("find", "red", season / "cam2", "--model", model, "--move-to", tmp_path / "reds", "--threshold", 0.9)
    assert (tmp_path / "reds" / "link.png").read_bytes() == (season / "cam1" / "1.png").read_bytes()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root, and Windows, may read everything")
def test_a_file_that_may_not_be_read_does_not_end_the_run(run, season, model, tmp_path):
    (season / "cam1" / "1.png").chmod(0)
    assert run("classify", season, "--model", model, "--copy-to", tmp_path / "sorted").status == 1


@posix
def test_names_that_are_not_text_are_copied_as_they_are(run, season, model, tmp_path):
    name = os.fsdecode(b"caf\xe9\n.png")
    (season / "cam1" / "1.png").rename(season / "cam1" / name)
    run("find", "red", season / "cam1", "--model", model, "--copy-to", tmp_path / "reds")
    assert os.listdir(tmp_path / "reds") == [name]


def test_paths_of_a_list_keep_the_folders_below_their_common_one(run, season, model, tmp_path, monkeypatch):
    monkeypatch.chdir(season)
    (tmp_path / "list.txt").write_text("cam1/1.png\ncam2/1.png\n\nmissing.png\n")
    words = ("--model", model, "--copy-to", tmp_path / "reds", "--json")
    result = run("find", "red", "--files-from", tmp_path / "list.txt", *words)
    assert tree(tmp_path / "reds") == ["cam1/1.png", "cam2/1.png"]
    assert result.status == 1
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record.get("error") for record in records] == [None, None, "no such file"]


@pytest.mark.parametrize("how", ["copy", "move", "link"])
def test_what_is_no_folder_is_refused_before_the_run(run, season, model, tmp_path, how):
    (tmp_path / "taken").touch()
    result = run("classify", season, "--model", model, f"--{how}-to", tmp_path / "taken")
    assert (result.status, result.out) == (2, "")
    assert "taken: is not a folder, so it cannot receive pictures" in result.err


@pytest.mark.parametrize("how", ["copy", "move"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_name_that_another_run_takes_in_that_moment_is_left_to_it(
    run, season, model, tmp_path, monkeypatch, how, links
):
    """Between the look at a name and the file of that name, another run may come."""
    theirs, link, lexists = b"theirs", os.link, os.path.lexists

    def seen_as_free(path):
        taken = lexists(path)
        if not taken and Path(path).name == "1.png" and "sorted" in str(path):
            Path(path).write_bytes(theirs)
        return taken

    def refused(*_, **__):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os.path, "lexists", seen_as_free)
    monkeypatch.setattr(os, "link", link if links else refused)
    before = {(season / name).read_bytes() for name in tree(season)}
    result = run("find", "red", season, "--model", model, f"--{how}-to", tmp_path / "sorted", "--threshold", 0)
    assert result.status == 1
    assert [path.read_bytes() for path in (tmp_path / "sorted").rglob("1.png")] == [theirs] * 2
    assert before <= {path.read_bytes() for path in (tmp_path / "sorted").rglob("*") if path.is_file()}
    assert not [name for name in tree(tmp_path / "sorted") if "cnnfast" in name]


def test_a_picture_that_cannot_be_taken_away_is_not_in_two_places(run, season, model, tmp_path, monkeypatch):
    (season / "cam2" / "4.jpg").unlink()
    replace = os.replace

    def refused(source, target):
        if Path(source).is_relative_to(season):
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    words = ("find", "red", season, "--model", model, "--move-to", tmp_path / "sorted", "--out", tmp_path / "a.csv")
    for more in ([], ["--resume"], ["--resume"]):
        result = run(*words, *more)
        assert result.status == 2
        assert "1.png: Permission denied" in result.err
        assert tree(tmp_path / "sorted") == []
    monkeypatch.undo()
    assert run(*words, "--resume").status == 0
    assert tree(tmp_path / "sorted") == ["cam1/1.png", "cam2/1.png", "cam2/3.png"]


@pytest.mark.parametrize("room", [True, False], ids=["room", "no room"])
def test_a_move_to_another_file_system_is_whole_or_not_at_all(run, season, model, tmp_path, monkeypatch, room):
    (season / "cam2" / "4.jpg").unlink()
    replace, copy = os.replace, shutil.copyfileobj

    def elsewhere(source, target):
        if Path(source).is_relative_to(season):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    def full(source, target, *length):
        target.write(source.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", elsewhere)
    monkeypatch.setattr(shutil, "copyfileobj", copy if room else full)
    before = {name: (season / name).read_bytes() for name in tree(season)}
    words = ("find", "red", season, "--model", model, "--move-to", tmp_path / "sorted", "--out", tmp_path / "a.csv")
    result = run(*words)
    if not room:
        assert result.status == 2
        assert f"{Path('cam1', '1.png')}: cannot be written: No space left on device" in result.err
        assert tree(tmp_path / "sorted") == []
        assert {name: (season / name).read_bytes() for name in tree(season)} == before
        monkeypatch.setattr(shutil, "copyfileobj", copy)
        result = run(*words, "--resume")
    assert result.status == 0
    moved = {name: (tmp_path / "sorted" / name).read_bytes() for name in tree(tmp_path / "sorted")}
    assert moved == {name: content for name, content in before.items() if name != "cam1/2.png"}
    assert tree(season) == ["cam1/2.png"]


def test_pictures_that_are_in_the_folder_already_stay_there(run, season, model, tmp_path):
    """Named one by one, they may be where they would be moved to."""
    before = sorted((season / name).read_bytes() for name in tree(season))
    run("classify", *[season / name for name in tree(season)], "--model", model, "--move-to", tmp_path / "sorted")
    for _ in range(2):
        there = [tmp_path / "sorted" / name for name in tree(tmp_path / "sorted")]
        run("classify", *there, "--model", model, "--move-to", tmp_path / "sorted")
        assert sorted(path.read_bytes() for path in (tmp_path / "sorted").rglob("*") if path.is_file()) == before


def test_an_empty_file_is_moved_too(run, season, model, tmp_path):
    (season / "cam2" / "4.jpg").write_bytes(b"")
    assert run("classify", season, "--model", model, "--move-to", tmp_path / "sorted").status == 1
    assert (tmp_path / "sorted" / "unreadable" / "cam2" / "4.jpg").read_bytes() == b""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("classify", "{season}", "--report", "{season}/cam1/1.png"), "is inside"),
        (("classify", "{season}/cam1/1.png", "--report", "{season}/cam1/1.png"), "is one of the pictures"),
        (("find", "cat", "{season}", "--report", "{season}/new.png"), "is inside"),
        (("duplicates", "{season}", "--report", "{season}/new.png"), "is inside"),
        (
            ("similar", "{season}/cam1/1.png", "{season}/cam2", "--report", "{season}/cam1/1.png"),
            "is one of the pictures",
        ),
        (("explain", "{season}/cam1/1.png", "--out", "{season}/cam1/1.png"), "is one of the pictures"),
        (("classify", "{season}", "--out", "x.csv", "--report", "y.html", "--review", "y.html"), "different files"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_drawn_replaces_no_picture_and_is_taken_for_none(run, season, words, said):
    before = {name: (season / name).read_bytes() for name in tree(season)}
    result = run(*[word.format(season=season) for word in words])
    assert result.status == 2
    assert said in result.err
    assert {name: (season / name).read_bytes() for name in tree(season)} == before


def test_a_page_of_html_may_be_next_to_its_pictures(run, season, model):
    assert run("classify", season, "--model", model, "--report", season / "sheet.html").status == 1
