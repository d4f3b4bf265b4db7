"""The one list of what is fuzzed: for each format of model files a few small valid files and its reader.

To add a format, write ``tests/fuzz/corpus_<name>.py`` with a `Corpus` named ``CORPUS``; it is found by its name. The
property tests of ``test_fuzz.py`` and the coverage-guided search of ``tools/fuzz_readers.py`` iterate over `corpora()`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnfast.formats import FORMATS, Model


def _one_file(folder: Path, content: bytes) -> Path:
    path = folder / "model"
    path.write_bytes(content)
    return path


def _as_it_is(content: bytes) -> bytes:
    return content


@dataclass(frozen=True)
class Corpus:
    """Where the search of one format begins.

    Attributes
    ----------
    format : str
        The name in `cnnfast.formats.FORMATS`.
    seeds : callable () -> sequence of bytes
        Small valid files, made on the spot; each must load.
    place : callable (folder, content) -> path
        Writes a file, and around it what else the reader needs, and returns what is to be loaded.
    seal : callable (bytes) -> bytes
        Puts checksums right after a mutation; without it every mutant would fail at the first check.
    options : mapping
        What the reader takes besides the path.
    words : tuple of bytes
        What the format is made of: names and numbers that are worth trying anywhere.
    needs : tuple of str
        Packages that the reader or the seeds import; where one is missing, the format is skipped.
    """

    format: str
    seeds: Callable[[], Sequence[bytes]]
    place: Callable[[Path, bytes], Path] = _one_file
    seal: Callable[[bytes], bytes] = _as_it_is
    options: Mapping[str, object] = field(default_factory=dict)
    words: tuple[bytes, ...] = ()
    needs: tuple[str, ...] = ()

    def read(self, folder: Path, content: bytes) -> Model:
        """Write a file and read it with the format's own reader, whatever `detect` would say."""
        return FORMATS[self.format].read(self.place(folder, content), **self.options)


@functools.cache
def corpora() -> dict[str, Corpus]:
    """Return every corpus by the name of its file; a format may have several."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("corpus_*.py"))
    return {name.removeprefix("corpus_"): importlib.import_module(f"fuzz.{name}").CORPUS for name in names}
