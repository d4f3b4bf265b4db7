"""A tiny network that names the strongest color, and pictures for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from cnnfast import Network, Preprocess
from cnnfast.cli import main
from cnnfast.layers import Flatten, GlobalAvgPool, Linear, Softmax

COLORS = {"red": (250, 10, 20), "green": (10, 240, 30), "blue": (5, 15, 235)}


CARELESS = ["plain", "one,two", 'say"x"', "line\nend", "carriage\rreturn", "äöü"]
"""Names that a careless writer of CSV would spoil."""
if os.name == "nt":
    CARELESS = ["plain", "one,two", "say'x'", "an end", " return", "äöü"]


class Result(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "colors.safetensors"
    layers = [GlobalAvgPool(), Flatten(), Linear(np.eye(3) * 4, np.zeros(3)), Softmax()]
    preprocess = Preprocess(size=(4, 4))
    Network.from_layers(layers, (3, 4, 4), classes=list(COLORS), preprocess=preprocess).save(path)
    return path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*words: object) -> Result:
        capfd.readouterr()
        status = main([str(word) for word in words])
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Twelve pictures in two folders, one of them broken, with names that a careless writer of CSV would spoil."""
    folder = tmp_path / "album"
    for place, names in (("a", CARELESS), ("b", range(6))):
        (folder / place).mkdir(parents=True)
        for i, name in enumerate(names):
            color = list(COLORS.values())[i % 3]
            Image.new("RGB", (6 + i, 5), color).save(folder / place / f"{name}.png")
    (folder / "b" / "2.png").write_bytes(b"no picture")
    return folder
