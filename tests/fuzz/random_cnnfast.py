"""Model files of cnnfast of which a stranger has changed the description or a tensor, and made the digest right."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.corpora import corpora
from fuzz.odd_json import changed

from cnnfast.formats import digest, native, tensors
from cnnfast.ops import Array


@functools.cache
def _models() -> list[tuple[Any, dict[str, Array]]]:
    unpacked = [tensors.unpack(np.frombuffer(seed, np.uint8)) for seed in corpora()["cnnfast"].seeds()]
    return [(json.loads(metadata[native.MODEL]), arrays) for metadata, arrays in unpacked]


def random_file(rng: np.random.Generator, odd: float = 0.1) -> bytes:
    """Return a file; ``odd`` is how much is nonsense."""
    models = _models()
    description, arrays = models[int(rng.integers(len(models)))]
    if arrays and rng.random() < 0.3:
        name = sorted(arrays)[int(rng.integers(len(arrays)))]
        arrays = arrays | {name: _reshaped(arrays[name], rng)}
    return _sealed(json.dumps(changed(description, rng, odd)), arrays)


def place(folder: Path, content: bytes) -> Path:
    """Write a file, and the one from which it may borrow."""
    return corpora()["cnnfast"].place(folder, content)


def _reshaped(array: Array, rng: np.random.Generator) -> Array:
    others = (array.reshape(-1)[:1], array.reshape(1, -1), array.astype(np.float64), array.T, array[..., None])
    return np.ascontiguousarray(others[int(rng.integers(len(others)))])


def _sealed(description: str, arrays: dict[str, Array]) -> bytes:
    header, ordered = tensors.pack({digest.DIGEST: digest.BLANK.decode(), native.MODEL: description}, arrays)
    return digest.sealed(header, ordered) + b"".join(bytes(tensors.as_bytes(array)) for array in ordered)
