"""Files that are whole but say odd things: each is read, or refused by name, in bounded time and memory.

``tools/fuzz_files.py`` searches on from a new seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fuzz import random_cs61c, random_safetensors, random_torch
from fuzz.limits import limited
from fuzz.random_cnnfast import random_file as random_cnnfast
from fuzz.random_convnetjs import random_file as random_convnetjs

from cnnfast.errors import CnnfastError
from cnnfast.formats import load_model

FILES = 400


def read_or_refused(path: Path, write: Callable[[int], dict[str, Any]], files: int = FILES) -> int:
    """Try files, each from its own seed, and return how many could be read."""
    errors: dict[int, Exception] = {}
    for seed in range(files):
        options = write(seed)
        try:
            with limited():
                load_model(path, **options)
        # what else there may be is looked at below
        except Exception as error:
            errors[seed] = error
    assert {seed: repr(error) for seed, error in errors.items() if not isinstance(error, CnnfastError)} == {}
    assert {seed: error for seed, error in errors.items() if not str(error).startswith(str(path))} == {}
    assert max(len(str(error)) for error in errors.values()) < 8000
    return files - len(errors)


@pytest.mark.parametrize("random_file", [random_cnnfast, random_convnetjs])
@pytest.mark.parametrize("odd", [0.0, 0.2])
def test_changed_values(random_file: Callable[..., bytes], odd: float, tmp_path: Path) -> None:
    path = tmp_path / "net"

    def write(seed: int) -> dict[str, Any]:
        path.write_bytes(random_file(np.random.default_rng(seed), odd))
        return {}

    assert 0 < read_or_refused(path, write) < FILES


@pytest.mark.parametrize("odd", [0.0, 0.2])
def test_all_of_an_onnx_file_but_its_operators(odd: float, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")
    from fuzz.random_onnx_ends import random_file, random_options

    path = tmp_path / "model"

    def write(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        path.write_bytes(random_file(rng, odd))
        return random_options(rng)

    assert 0 < read_or_refused(path, write) < FILES


@pytest.mark.parametrize("odd", [0.0, 0.2])
def test_layers_of_keras(odd: float, tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="writing models of Keras needs h5py")
    from fuzz.random_keras import random_file

    path = tmp_path / "model"

    def write(seed: int) -> dict[str, Any]:
        path.write_bytes(random_file(np.random.default_rng(seed), odd))
        return {}

    assert 0 < read_or_refused(path, write, FILES // 2) < FILES // 2


def test_lines_of_cs61c(tmp_path: Path) -> None:
    def write(seed: int) -> dict[str, Any]:
        random_cs61c.place(tmp_path, random_cs61c.random_file(np.random.default_rng(seed)))
        return {}

    assert 0 < read_or_refused(tmp_path, write, FILES // 4) < FILES // 4


@pytest.mark.filterwarnings("ignore:tensors that are not part of the network")
@pytest.mark.parametrize("module", [random_safetensors, random_torch], ids=["safetensors", "torch"])
@pytest.mark.parametrize("odd", [0.0, 0.3])
def test_weights_alone(module: ModuleType, odd: float, tmp_path: Path) -> None:
    path = tmp_path / "model"

    def write(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        path.write_bytes(module.random_file(rng, odd))
        return module.random_options(rng)

    assert 0 < read_or_refused(path, write) < FILES
