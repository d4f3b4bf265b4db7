"""Classifiers of keras.applications through both files of Keras: two small ones, all of them with ``-m slow``."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("h5py", reason="writing models of Keras needs h5py")
os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("keras", reason="building models of Keras needs keras and torch")

TOOL = Path(__file__).resolve().parents[3] / "tools" / "keras_applications.py"

pytestmark = pytest.mark.filterwarnings("ignore")


def load_tool() -> ModuleType:
    """Return the script that writes the table of docs/keras.md; it compares, the tests judge."""
    spec: Any = importlib.util.spec_from_file_location("keras_applications", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()
SMALL = ("MobileNetV2", "MobileNetV3Small")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SMALL else pytest.mark.slow) for name in tool.names()]
)
def test_same_classes_and_scores_as_keras(name: str) -> None:
    result = tool.compare(name)
    assert tool.passed(result), result
