"""The model file of cnnfast itself, next to one from which it may borrow."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from formats.crafted import saved, sealed, small_model
from fuzz.corpora import Corpus
from small_integers import integer_model

from cnnfast.formats import Model, save
from cnnfast.formats.digest import END as DIGEST_END
from cnnfast.formats.digest import PREFIX
from cnnfast.formats.narrow import FEW
from cnnfast.formats.remembered import Remembered
from cnnfast.graph import Graph, Node
from cnnfast.ops import Linear

LENDER = "lender.safetensors"


def seeds() -> list[bytes]:
    """Return files of a network that is not a chain, of integers, and of all that a file may hold besides weights."""
    with tempfile.TemporaryDirectory() as folder:
        floats = [saved(Path(folder) / "net.safetensors", seed) for seed in (0, 1)]
        integers, scaled = Path(folder) / "integers.safetensors", Path(folder) / "scaled.safetensors"
        save(integer_model(), integers)
        save(_many_weights(), scaled, dtype="int8")
        remembers = Path(folder) / "remembers.safetensors"
        known = Remembered(np.ones((3, 48), np.float16), np.array([0, 1, 3], np.int32))
        save(replace(small_model(), remembered=known), remembers)
        lender, borrows = Path(folder) / LENDER, Path(folder) / "borrows.safetensors"
        lender.write_bytes(_lender())
        save(_many_weights(), borrows, dtype="int8", borrow=lender)
        return [*floats, *(path.read_bytes() for path in (integers, scaled, remembers, borrows))]


@functools.cache
def _lender() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LENDER
        save(_many_weights(), path, dtype="int8")
        return path.read_bytes()


def place(folder: Path, content: bytes) -> Path:
    """Write a model file, and the one from which it may borrow."""
    (folder / LENDER).write_bytes(_lender())
    path = folder / "model"
    path.write_bytes(content)
    return path


def _many_weights() -> Model:
    weight = np.random.default_rng(0).standard_normal((2, FEW // 2)).astype(np.float32)
    return Model(Graph({"x": (FEW // 2,)}, (Node("y", Linear(), ("x", "w")),), {"w": weight}, ("y",)))


def seal(content: bytes) -> bytes:
    """Put prefix and digest right, where there is room for them."""
    if len(content) < DIGEST_END:
        return content
    return sealed(content[:8] + PREFIX + content[8 + len(PREFIX) :])


CORPUS = Corpus(
    "cnnfast",
    seeds,
    place=place,
    seal=seal,
    words=(
        b'\\"attributes\\":{',
        b'"data_offsets":[',
        b'"F64"',
        b'"I8"',
        b'\\"scales\\":{\\"w\\":\\"',
        b'\\"borrowed\\":{\\"file\\":\\"lender.safetensors\\",\\"sha256\\":\\"',
        b"1e400",
        b"99999999999",
        b"\\ud800",
        b"null",
        b"[[[[",
    ),
)
