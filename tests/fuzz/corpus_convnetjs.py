"""Networks of ConvNetJS."""

from __future__ import annotations

import json

from formats.test_convnetjs import small_network
from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return a network with every layer that is supported."""
    return [json.dumps(small_network()).encode()]


CORPUS = Corpus(
    "convnetjs",
    seeds,
    words=(b'"layer_type": "conv"', b'"sx": 99999999999', b'"pad": 1e9', b"null", b"NaN", b"-1", b"{}", b"[]", b"[[[["),
)
