"""Weights in third-party safetensors files."""

from __future__ import annotations

import numpy as np
from formats.weights.small import safetensors, small_graph, small_state
from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return the weights of a small network, in two precisions."""
    halves = {name: array.astype(np.float16) for name, array in small_state().items()}
    return [safetensors(small_state()), safetensors(halves, {"format": "pt"})]


CORPUS = Corpus(
    "safetensors",
    seeds,
    options={"architecture": small_graph()},
    words=(
        b'"BF16"',
        b'"data_offsets": [',
        b"1e400",
        b"99999999999",
        b"\\ud800",
        b"null",
        b"[[[[",
        b'"__metadata__": {',
    ),
)
