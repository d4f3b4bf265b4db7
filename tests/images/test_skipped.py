"""What a search passes by is counted, and files without a suffix are looked into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from systems import posix

from cnnfast.data import open_dataset
from cnnfast.errors import DataError
from cnnfast.images.pictures import kinds
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.kinds import Extra
from cnnfast.images.pictures.skipped import MOST, Skipped


def red(path: Path, format_: str = "PNG") -> None:
    Image.new("RGB", (8, 6), "red").save(path, format_)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_picture_without_a_suffix_is_found(tmp_path, format_):
    red(tmp_path / "IMG_0001", format_)
    assert find_pictures([tmp_path]) == [tmp_path / "IMG_0001"]


TEXTS_AND_PROGRAMS = [
    b"",
    b"Python",
    b"P5",
    b"all: build\n\tcc\n",
    b"#!/bin/sh\n",
    b"\0",
    b"%PDF-1.7",
    b"\x7fELF" + bytes(40),
]


@pytest.mark.parametrize("content", TEXTS_AND_PROGRAMS)
def test_other_files_without_a_suffix_are_skipped(tmp_path, content):
    (tmp_path / "README").write_bytes(content)
    skipped = Skipped()
    assert find_pictures([tmp_path], skipped) == []
    assert skipped.lines() == ["1 file not read: 1 without a suffix"]


@posix
def test_a_pipe_without_a_suffix_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert find_pictures([tmp_path]) == []


def test_files_are_counted_by_suffix_at_any_depth(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.XML", "deep/b.xml", "deep/er/c.moo", ".DS_Store", "deep/._IMG.JPG"):
        (tmp_path / name).touch()
    red(tmp_path / "deep" / "er" / "one.png")
    skipped = Skipped()
    assert len(find_pictures([tmp_path], skipped)) == 1
    assert skipped.lines() == ["5 files not read: 2 .xml, 2 hidden, 1 .moo"]


def test_very_many_kinds_are_summed_up():
    skipped = Skipped()
    for i in range(MOST + 5):
        skipped.add(f".{i:02}")
    (line,) = skipped.lines()
    assert line.startswith(f"{MOST + 5} files not read: 1 .00, ")
    assert line.endswith(f"1 .{MOST - 1:02}, 5 of other kinds")


def test_it_is_said_what_would_read_them(tmp_path, monkeypatch):
    absent = Extra("heif", "no_such_package", (".heic", ".avif"))
    monkeypatch.setattr(kinds, "HEIF", absent)
    monkeypatch.setattr("cnnfast.images.pictures.skipped.EXTRAS", (absent,))
    (tmp_path / "a.HEIC").touch()
    with pytest.raises(DataError, match=r"holds no picture; 1 file not read: 1 \.heic; pip install 'cnnfast\[heif\]'"):
        open_dataset(tmp_path)


def test_data_sets_say_what_they_leave_out(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        red(tmp_path / name / "0.png")
        (tmp_path / name / "0.xmp").touch()
    (tmp_path / "notes.txt").touch()
    assert open_dataset(tmp_path).notes == ("3 files not read: 2 .xmp, 1 .txt",)
    assert open_dataset(tmp_path / "cat").notes == ("1 file not read: 1 .xmp",)
    red(tmp_path / "IMG_1")
    assert open_dataset(tmp_path).classes is None
