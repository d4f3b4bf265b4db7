"""Weights in safetensors files of which a stranger has changed the header, or the types and shapes of tensors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from formats.weights.small import safetensors, small_graph, small_state
from fuzz.odd_json import changed

PREFIXES = ("", "module.", "model.", "a.b.", "é", "\n", "x" * 600)
CODES = ("F64", "F32", "F16", "BF16", "I8", "U16", "I64", "BOOL", "F8_E4M3", "F4", "C64", "X", "")
OTHERS = {"criterion.weight": (4,), "bn.num_batches_tracked": (), "conv.weight_g": (5, 1, 1, 1), "x": (1,) * 8}


def random_file(rng: np.random.Generator, odd: float = 0.1) -> bytes:
    """Return a file; ``odd`` is how much is nonsense."""
    prefix = PREFIXES[int(rng.integers(len(PREFIXES)))] if rng.random() < odd else PREFIXES[int(rng.integers(3))]
    state = {prefix + name: array for name, array in small_state().items() if rng.random() >= odd / 4}
    for name, shape in OTHERS.items():
        if rng.random() < odd:
            state[name] = np.ones(shape, np.float16)
    raw = safetensors(state, {"format": "pt"} if rng.random() < 0.5 else None)
    length = int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    for entry in header.values():
        if "dtype" in entry and rng.random() < odd / 4:
            _retyped(entry, rng)
    if rng.random() < odd:
        header = changed(header, rng, odd)
    text = json.dumps(header, ensure_ascii=bool(rng.random() < 0.5)).encode()
    stated = len(text) + int(rng.integers(-3, 4)) * (rng.random() < odd / 4)
    return stated.to_bytes(8, "little") + text + raw[8 + length :]


def _retyped(entry: dict[str, Any], rng: np.random.Generator) -> None:
    entry["dtype"] = CODES[int(rng.integers(len(CODES)))]
    if rng.random() < 0.5:
        entry["shape"] = [int(size) for size in rng.integers(0, 6, rng.integers(0, 10))]


def random_options(rng: np.random.Generator) -> dict[str, Any]:
    """Return what a user might say about such a file."""
    options: dict[str, Any] = {"architecture": small_graph()} if rng.random() < 0.8 else {}
    for name, values in {
        "key": ("model", "module", "a.b", "x" * 9000, "0"),
        "rename": ("order", {"conv": "fc"}, {"module.conv": "conv"}),
        "layout": ("ohwi", "hwio"),
        "ignore_unexpected": (True,),
    }.items():
        if rng.random() < 0.15:
            options[name] = values[int(rng.integers(len(values)))]
    return options
