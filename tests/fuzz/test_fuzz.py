"""Untrusted files: every reader of a model file meets damage with an error, quickly and in little memory.

``CNNFAST_TEST_PROFILE=thorough`` searches longer, and ``tools/fuzz_readers.py`` without end, guided by coverage.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.corpora import Corpus, corpora
from fuzz.limits import try_to_read
from fuzz.mutate import apply, edits
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnfast.formats import FORMATS, detect

NAMES = list(corpora())


def corpus_of(name: str) -> Corpus:
    corpus = corpora()[name]
    for package in corpus.needs:
        pytest.importorskip(package, reason=f"the reader of {name} needs the package {package}")
    return corpus


def test_every_format_is_fuzzed() -> None:
    assert {corpus.format for corpus in corpora().values()} == set(FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_are_valid_and_small(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(name)
    for content in corpus.seeds():
        assert len(content) < 100_000
        assert corpus.seal(content) == content, "sealing must not change what is valid"
        assert detect(corpus.place(tmp_path, content)).name == corpus.format
        assert try_to_read(corpus, tmp_path, content)


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_an_error_and_nothing_worse(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    corpus = corpus_of(name)
    folder = tmp_path_factory.mktemp(name)
    seeds = list(corpus.seeds())

    @settings(max_examples=4 * settings().max_examples)
    @given(st.sampled_from(seeds), edits(corpus.words))
    def damage(content: bytes, changes: list) -> None:
        try_to_read(corpus, folder, corpus.seal(apply(content, changes)))

    damage()


@pytest.mark.parametrize("name", NAMES)
def test_truncated_anywhere(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(name)
    content = corpus.seeds()[0]
    for length in range(0, len(content), len(content) // 50 + 1):
        try_to_read(corpus, tmp_path, content[:length])
