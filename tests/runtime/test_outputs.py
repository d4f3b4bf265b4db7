"""Files are written completely or not at all, where the user said, and never replace what is not a file."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from systems import NAME_TOO_LONG

from cnnfast import Network
from cnnfast.errors import OutputError
from cnnfast.runtime.outputs import file_behind, replacing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, devices and links")


def written(path: Path, content: bytes = b"new") -> None:
    with replacing(path) as file:
        file.write(content)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir()


def nowhere(path: Path) -> None:
    path.symlink_to("missing/deeper/file")


ODD = (fifo, link_to_fifo, device, loop, folder, nowhere)


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_file_is_not_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(path := tmp_path / "net.safetensors")
    before = sorted(tmp_path.iterdir()), path.lstat()
    for write in (written, Network.load("mnist-mlp").save):
        with pytest.raises(OutputError) as caught:
            write(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert ".tmp" not in str(caught.value)
    assert (sorted(tmp_path.iterdir()), path.lstat().st_mode) == (before[0], before[1].st_mode)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_one_to_the_new_content(exists: bool, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    if exists:
        (elsewhere / "file").write_bytes(b"old")
    (inner := tmp_path / "inner").symlink_to("elsewhere/file")
    (path := tmp_path / "link").symlink_to(inner)
    written(path)
    assert path.is_symlink()
    assert inner.is_symlink()
    assert (elsewhere / "file").read_bytes() == b"new"
    assert [p.name for p in elsewhere.iterdir()] == ["file"]


def test_the_rights_of_a_file_stay(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_bytes(b"old")
    path.chmod(0o640)
    written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() == b"new"


def test_a_failure_in_the_middle_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([b"half", "no bytes"])
    with pytest.raises(OutputError, match=r"file: cannot be written: No space left"), replacing(path) as file:
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=rf"file: there is no folder {tmp_path}/missing; make it first"):
        file_behind(tmp_path / "missing" / "file")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError, match="there is no folder"):
        written(tmp_path / "file" / "inside")


@pytest.mark.parametrize("length", [255, 256, 5000])
def test_names_as_long_as_they_can_be(length: int, tmp_path: Path) -> None:
    path = tmp_path / ("n" * length)
    if length <= 255:
        written(path)
        assert path.read_bytes() == b"new"
    else:
        with pytest.raises(OutputError, match=NAME_TOO_LONG):
            written(path)


@pytest.mark.parametrize("name", ["a\0b", "\udcff\udcfe"])
def test_names_that_are_no_text(name: str, tmp_path: Path) -> None:
    if "\0" in name:
        with pytest.raises(OutputError, match="null"):
            written(tmp_path / name)
    else:
        written(tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        written(tmp_path / "file")
    tmp_path.chmod(0o700)


def test_a_network_of_long_name_is_saved_through_a_link(tmp_path: Path) -> None:
    name = "n" * (255 - len(".safetensors")) + ".safetensors"
    (tmp_path / "link.safetensors").symlink_to(name)
    net = Network.load("mnist-mlp")
    net.save(tmp_path / "link.safetensors")
    x = np.zeros((1, 28, 28), np.uint8)
    np.testing.assert_array_equal(Network.load(tmp_path / name).forward(x), net.forward(x))
