"""Paths that are not text, lead nowhere, or to what is not a file: an error that says so at once, or the network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz.corpora import corpora

from cnnfast import Network
from cnnfast.errors import CnnfastError, ModelFileError
from cnnfast.formats import FORMATS, load_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names there are text, and links need rights")

NOT_TEXT = "caf\udce9-\udcff"


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def through_a_file(path: Path) -> None:
    path.with_name("file").write_bytes(b"x")
    path.symlink_to("file/inside")


ODD = (fifo, loop, link_to_device, link_to_fifo, through_a_file)


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("name", ["net.onnx", "net.safetensors"])
def test_what_is_no_file_is_never_opened(make: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    """Nobody writes into the pipe: opening it would never return."""
    make(tmp_path / name)
    with pytest.raises(ModelFileError, match=r"neither a file nor a folder|no such file"):
        Network.load(tmp_path / name)


@pytest.mark.parametrize("source", ["/dev/null", "/dev/zero", "a" * 5000, "a\0b", "", os.path.join("x", "y" * 300)])
def test_names_that_lead_nowhere(source: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        Network.load(source)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("name", corpora())
def test_names_that_are_no_text_are_read_and_written(name: str, tmp_path: Path) -> None:
    corpus = corpora()[name]
    for package in corpus.needs:
        pytest.importorskip(package)
    folder = tmp_path / NOT_TEXT
    folder.mkdir()
    path = corpus.place(folder, corpus.seeds()[0])
    if path.is_file():
        path = path.rename(folder / NOT_TEXT)
    model = load_model(path, **corpus.options)
    Network(model).save(folder / f"{NOT_TEXT}.safetensors")
    assert Network.load(folder / f"{NOT_TEXT}.safetensors").input_shape == Network(model).input_shape


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("layer", ["layer1_conv.txt", "layer10_fc.txt"])
def test_a_layer_of_cs61c_that_is_no_file(make: Callable[[Path], None], layer: str, tmp_path: Path) -> None:
    corpus = corpora()["cs61c"]
    path = corpus.place(tmp_path, corpus.seeds()[0])
    (path / layer).unlink()
    make(path / layer)
    with pytest.raises(CnnfastError):
        Network.load(path)
    with pytest.raises(ModelFileError, match=r"it is not a file|cannot be read"):
        FORMATS["cs61c"].read(path)
