"""The model file of cnnfast itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from formats.crafted import saved, sealed
from fuzz.corpora import Corpus
from small_integers import integer_model

from cnnfast.formats import Model, save
from cnnfast.formats.digest import END as DIGEST_END
from cnnfast.formats.digest import PREFIX
from cnnfast.formats.narrow import FEW
from cnnfast.graph import Graph, Node
from cnnfast.ops import Linear


def seeds() -> list[bytes]:
    """Return two files of a network that is not a chain, one of integers, and one of weights in eight bits."""
    with tempfile.TemporaryDirectory() as folder:
        floats = [saved(Path(folder) / "net.safetensors", seed) for seed in (0, 1)]
        integers, scaled = Path(folder) / "integers.safetensors", Path(folder) / "scaled.safetensors"
        save(integer_model(), integers)
        save(_many_weights(), scaled, dtype="int8")
        return [*floats, integers.read_bytes(), scaled.read_bytes()]


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
