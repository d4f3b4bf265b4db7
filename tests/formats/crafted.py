"""Models and files for the tests of the formats, among them files that no honest program writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.formats import Model, digest, native, save
from cnnfast.graph import Graph, Node, constant
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Add, AvgPool, Clip, Conv2d, Flatten, Linear, Softmax


def small_model(seed: int = 0) -> Model:
    """Return a model that is not a chain, with two dtypes and text beyond ASCII."""
    rng = np.random.default_rng(seed)
    nodes = (
        Node("conv", Conv2d(padding=1), ("image", "w", "b")),
        Node("act", Clip(0.0, 6.0), ("conv",)),
        Node("sum", Add(), ("act", "image")),
        Node("pool", AvgPool(2, count_padding=True), ("sum",)),
        Node("flat", Flatten(), ("pool",)),
        Node("fc", Linear(), ("flat", "m")),
        Node("p", Softmax(), ("fc",)),
    )
    constants = {
        "w": constant(rng.standard_normal((3, 3, 3, 3))),
        "b": constant(rng.standard_normal(3)),
        "m": rng.standard_normal((4, 48)),
    }
    return Model(
        Graph({"image": (3, 8, 8)}, nodes, constants, ("p",)),
        Preprocess(size=(8, 8), mean=(0.5, 0.4, 0.3)),
        ("chat", "Hündin", "猫", "x y"),
        "BSD-3-Clause",
        {"source": "a test\nof two lines", "recipe": "none"},
    )


def saved(path: Path, seed: int = 0) -> bytes:
    """Return the bytes of the small model's file."""
    save(small_model(seed), path)
    return path.read_bytes()


def split(raw: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Take a file apart: header, description, tensors."""
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    return header, json.loads(header["__metadata__"][native.MODEL]), raw[end:]


def join(header: dict[str, Any], description: object, data: bytes) -> bytes:
    """Put a file together and seal it: what is wrong with it is found behind the digest only."""
    text = description if isinstance(description, str) else json.dumps(description, separators=(",", ":"))
    metadata = {digest.DIGEST: "0" * 64, native.MODEL: text}
    return with_header(json.dumps({**header, "__metadata__": metadata}, separators=(",", ":")).encode(), data)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """Return a sealed file with this text as its header."""
    return sealed(len(header).to_bytes(8, "little") + header + data)


def sealed(raw: bytes) -> bytes:
    """Return the file with its digest put right."""
    blank = raw[: digest.BEGIN] + digest.BLANK + raw[digest.END :]
    actual = hashlib.sha256(blank).hexdigest().encode()
    return raw[: digest.BEGIN] + actual + raw[digest.END :]


def changed(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the file with another description."""
    header, description, data = split(raw)
    change(description)
    return join(header, description, data)


def put(*keys: Any, value: object) -> Callable[[dict[str, Any]], None]:
    """Return the change that sets one place of the description."""

    def change(description: Any) -> None:
        for key in keys[:-1]:
            description = description[key]
        description[keys[-1]] = value

    return change
