"""Formats are recognized by content."""

import inspect
import os
import shutil
from pathlib import Path

import pytest
from formats.crafted import saved
from systems import NO_SUCH_FILE

from cnnfast.errors import ModelFileError
from cnnfast.formats import FORMATS, detect, load_model


def test_every_format_is_registered_under_its_name() -> None:
    assert list(FORMATS) == [entry.name for entry in FORMATS.values()]
    assert {"cnnfast", "convnetjs", "cs61c"} <= FORMATS.keys()


def test_the_options_of_a_format_are_those_of_its_reader() -> None:
    for entry in FORMATS.values():
        assert list(entry.options) == list(inspect.signature(entry.read).parameters)[1:]


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    saved(tmp_path / "net.safetensors")
    for name in ("net.json", "net.onnx", "net"):
        shutil.copy(tmp_path / "net.safetensors", tmp_path / name)
        assert detect(tmp_path / name).name == "cnnfast"
        assert load_model(str(tmp_path / name)).license == "BSD-3-Clause"


@pytest.mark.parametrize("content", [b"{}", b"\x89PNG\r\n\x1a\n", bytes(5000)])
def test_an_unknown_file_is_refused_with_the_list_of_formats(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert all(name in message for name in FORMATS)


def test_folders_absent_files_and_pipes(tmp_path: Path) -> None:
    cases = [(tmp_path, "a folder"), (tmp_path / "gone", NO_SUCH_FILE)]
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        cases.append((tmp_path / "pipe", "neither"))
    for path, rule in cases:
        with pytest.raises(ModelFileError, match=rule):
            load_model(path)
