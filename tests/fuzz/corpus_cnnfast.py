"""The model file of cnnfast itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from formats.crafted import saved, sealed
from fuzz.corpora import Corpus
from small_integers import integer_model

from cnnfast.formats import save
from cnnfast.formats.digest import END as DIGEST_END
from cnnfast.formats.digest import PREFIX


def seeds() -> list[bytes]:
    """Return two files of a network that is not a chain, and one of a network of integers."""
    with tempfile.TemporaryDirectory() as folder:
        integers = Path(folder) / "integers.safetensors"
        save(integer_model(), integers)
        return [*(saved(Path(folder) / "net.safetensors", seed) for seed in (0, 1)), integers.read_bytes()]


def seal(content: bytes) -> bytes:
    """Put prefix and digest right, where there is room for them."""
    if len(content) < DIGEST_END:
        return content
    return sealed(content[:8] + PREFIX + content[8 + len(PREFIX) :])


CORPUS = Corpus(
    "cnnfast",
    seeds,
    seal=seal,
    words=(
        b'\\"attributes\\":{',
        b'"data_offsets":[',
        b'"F64"',
        b'"I8"',
        b"1e400",
        b"99999999999",
        b"\\ud800",
        b"null",
        b"[[[[",
    ),
)
