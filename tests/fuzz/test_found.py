"""What the search has found: each file once brought a reader down with something other than an error of cnnfast."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.corpora import corpora
from fuzz.limits import try_to_read

FOUND = {
    "a name that is not a text": ("onnx", lambda content: content.replace(b"\n\x05value", b"\n\x05\xffalue")),
    "an operator that is not a text": ("onnx", lambda content: content.replace(b"Constant", b"Const\xffnt")),
}
"""The corpus, and what has been done to each of its seeds."""


@pytest.mark.parametrize("name", FOUND)
def test_it_is_an_error_now(name: str, tmp_path: Path) -> None:
    key, damage = FOUND[name]
    corpus = corpora()[key]
    for package in corpus.needs:
        pytest.importorskip(package, reason=f"the reader of {key} needs the package {package}")
    changed = [damage(content) for content in corpus.seeds() if damage(content) != content]
    assert changed
    for content in changed:
        assert not try_to_read(corpus, tmp_path, content)
