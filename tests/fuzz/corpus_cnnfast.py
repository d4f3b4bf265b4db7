"""The model file of cnnfast itself."""

from __future__ import annotations

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


def seeds() -> list[bytes]:
    """Return files of a network that is not a chain, of integers, of weights in eight bits, of remembered pictures."""
    with tempfile.TemporaryDirectory() as folder:
        floats = [saved(Path(folder) / "net.safetensors", seed) for seed in (0, 1)]
        integers, scaled = Path(folder) / "integers.safetensors", Path(folder) / "scaled.safetensors"
        save(integer_model(), integers)
        save(_many_weights(), scaled, dtype="int8")
        remembers = Path(folder) / "remembers.safetensors"
        known = Remembered(np.ones((3, 48), np.float16), np.array([0, 1, 3], np.int32))
        save(replace(small_model(), remembered=known), remembers)
        return [*floats, *(path.read_bytes() for path in (integers, scaled, remembers))]


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
    seal=seal,
    words=(
        b'\\"attributes\\":{',
        b'"data_offsets":[',
        b'"F64"',
        b'"I8"',
        b'\\"scales\\":{\\"w\\":\\"',
        b"1e400",
        b"99999999999",
        b"\\ud800",
        b"null",
        b"[[[[",
    ),
)
