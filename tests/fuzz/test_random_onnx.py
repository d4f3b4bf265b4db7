"""Random networks of ONNX: each is read or refused, in bounded time and memory, and nothing is left to chance.

``tools/fuzz_files.py onnx`` searches on from a new seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="reading ONNX files needs onnx")

from fuzz.foreign import foreign
from fuzz.limits import limited
from fuzz.random_onnx import random_file

from cnnfast.errors import CnnfastError
from cnnfast.formats import FORMATS

FILES = 1200


@pytest.mark.parametrize("odd", [0.02, 0.1])
def test_random_files_are_read_or_refused(odd: float, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    errors = []
    for seed in range(FILES // 2):
        path.write_bytes(random_file(np.random.default_rng(seed), odd))
        try:
            with limited():
                FORMATS["onnx"].read(path)
        except CnnfastError as error:
            errors.append((seed, error))
    assert [(seed, foreign(error)) for seed, error in errors if foreign(error)] == []
    assert [(seed, error) for seed, error in errors if not str(error).startswith(f"{path}: ")] == []
    assert len(errors) < 0.95 * FILES // 2, "the networks are such that some of them can be read"
