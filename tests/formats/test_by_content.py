"""Every file is recognized by what it holds, whatever it is called; one that is not says what was tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.corpora import corpora

from cnnfast.errors import CnnfastError, ModelFileError
from cnnfast.formats import FORMATS, detect, load_model

SUFFIXES = sorted({suffix for entry in FORMATS.values() for suffix in entry.suffixes if suffix.startswith(".")})
FILES = [name for name, corpus in corpora().items() if corpus.format != "cs61c"]  # which is a folder


def seeds(name: str) -> list[bytes]:
    corpus = corpora()[name]
    for package in corpus.needs:
        pytest.importorskip(package, reason=f"the reader of {name} needs the package {package}")
    return list(corpus.seeds())


@pytest.mark.parametrize("name", FILES)
def test_any_suffix_and_none(name: str, tmp_path: Path) -> None:
    corpus = corpora()[name]
    for content in seeds(name):
        for suffix in ["", ".txt", *SUFFIXES]:
            path = corpus.place(tmp_path, content).rename(tmp_path / f"net{suffix}")
            assert detect(path).name == corpus.format
            load_model(path, **corpus.options)
            path.unlink()


@pytest.mark.parametrize("name", FILES)
def test_one_format_at_most(name: str, tmp_path: Path) -> None:
    """No file is of two formats, so the order in which they are tried decides nothing."""
    path = tmp_path / "net"
    for content in seeds(name):
        path.write_bytes(content)
        claimed = [entry.name for entry in FORMATS.values() if entry.sniff(path, content[:4096])]
        assert claimed == [corpora()[name].format]


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"\x80\x04K\x01.",
            b"PK\x05\x06" + bytes(18),
            b"{}",
            b"\x7fELF",
            b"RIFF....WEBPVP8 ",
            b"\x89HDF\r\n\x1a\n",
        ),
        *(bytes(64), b"(" * 5000, "Grüße".encode(), b"\x28\x00\x00\x00TFL3", b"\x08\x08\x12\x07pytorch"),
    ],
)
def test_what_is_no_model_is_told_what_was_tried(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(CnnfastError) as caught:
        load_model(path)
    message = str(caught.value)
    if "pip install" in message:
        pytest.skip(f"the reader that recognizes it is not installed: {message}")
    assert isinstance(caught.value, ModelFileError)
    assert message.startswith(f"{path}: ")
    if "not a model file that cnnfast knows" in message:
        assert all(name in message for name in FORMATS)
