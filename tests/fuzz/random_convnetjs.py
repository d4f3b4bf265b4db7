"""Networks of ConvNetJS of which a stranger has changed some values."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
from fuzz.corpora import corpora
from fuzz.odd_json import changed


@functools.cache
def _networks() -> list[Any]:
    return [json.loads(seed) for seed in corpora()["convnetjs"].seeds()]


def random_file(rng: np.random.Generator, odd: float = 0.1) -> bytes:
    """Return a file; ``odd`` is how much is nonsense."""
    networks = _networks()
    return json.dumps(changed(networks[int(rng.integers(len(networks)))], rng, odd)).encode()
