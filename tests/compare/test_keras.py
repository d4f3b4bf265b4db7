"""Keras next to the network that was read from its file: the same layers in the same order of elements."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py", reason="writing models of Keras needs h5py")
os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", reason="the engine keras needs keras and torch")

from formats.keras.models import MODELS, randomize

from cnnfast.cli import main
from cnnfast.formats.keras.order import Order, order_of

pytestmark = pytest.mark.filterwarnings("ignore")
L = keras.layers


def saved(model: Any, path: Path) -> Path:
    logging.disable(logging.WARNING)  # Keras calls .h5 legacy each time
    randomize(model).save(path)
    logging.disable(logging.NOTSET)
    return path


def compared(path: Path, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    """Return what the command says about a file and Keras on it."""
    capsys.readouterr()
    assert main(["compare", str(path), "--engine", "keras", "--json", *words]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


NAMES = ["sequential", "preprocessing", "activations", "flattened_images_go_many_ways", "nested_and_shared", "shapes"]


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_is_blamed_where_all_agree(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compared(saved(MODELS[name](keras, L), tmp_path / "model.keras"), capsys)
    assert (found["alike"], found["first"]) == (True, None)
    assert len(found["layers"]) > 1


def test_the_layers_of_models_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Teachable Machine builds them: a Sequential of two, one of which holds another model."""
    i = L.Input((6, 6, 3))
    body = keras.Model(i, L.ReLU(name="r")(L.Conv2D(4, 3, name="c")(i)), name="body")
    features = keras.Sequential([body, L.MaxPooling2D(name="p"), L.Flatten(name="f")], name="features")
    head = keras.Sequential([L.Dense(5, name="d"), L.Dense(3, name="e")], name="head")
    found = compared(saved(keras.Sequential([i, features, head]), tmp_path / "model.keras"), capsys)
    assert found["first"] is None
    names = [layer["left"] for layer in found["layers"]]
    assert names[:-1] == ["features/body/c", "features/body/r", "features/p", "features/f", "head/d"]


@pytest.mark.parametrize("flat", ["channels_first", "channels_last"])
def test_images_of_as_many_rows_as_channels(flat: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No shape tells the axes apart here, and every order of a flattened row would fit."""
    first = dict(data_format="channels_first")
    layers = [L.Conv2D(4, 3, padding="same", **first), L.ReLU(), L.Flatten(data_format=flat), L.BatchNormalization()]
    model = keras.Sequential([L.Input((4, 4, 4)), *layers, L.Dropout(0.5), L.Dense(3)])
    found = compared(saved(model, tmp_path / "model.h5"), capsys)
    assert found["first"] is None
    assert [layer["kind"] for layer in found["layers"]][:2] == ["conv2d", "relu"]


def test_a_saved_network_and_the_file_it_was_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(MODELS["preprocessing"](keras, L), tmp_path / "model.keras")
    assert main(["convert", str(path), str(tmp_path / "own.safetensors")]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "own.safetensors"), str(path), "--engine", "keras"]) == 0
    assert "16 of 16 agree" in capsys.readouterr().out


def test_a_layer_that_does_differ_is_blamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = MODELS["sequential"](keras, L)
    own = saved(model, tmp_path / "a.keras")
    dense = model.layers[-2]
    dense.kernel.assign(np.asarray(dense.kernel.value.detach()) + 0.1)
    model.save(tmp_path / "b.keras")
    found = compared(own, capsys, str(tmp_path / "b.keras"), status=1)
    assert (found["alike"], found["first"]["left"]) == (False, dense.name)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04"])
def test_a_file_that_keras_cannot_open_is_an_error(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = saved(MODELS["without_input_layer"](keras, L), tmp_path / "a.keras")
    (tmp_path / "b.keras").write_bytes(content)
    assert main(["compare", str(own), str(tmp_path / "b.keras"), "--engine", "keras"]) == 2
    message = capsys.readouterr().err
    assert f"{tmp_path / 'b.keras'}: Keras {keras.__version__} cannot open it (" in message
    assert "Traceback" not in message


def test_the_order_of_a_file(tmp_path: Path) -> None:
    path = saved(MODELS["sequential"](keras, L), tmp_path / "model.keras")
    order = order_of(path, (3, 9, 8))
    flatten = next(name for name in order.rows if name.startswith("flatten"))
    assert (order.channels_last, order.rows[flatten]) == (True, (5, 5, 4))
    assert order.in_network("other", np.arange(4).reshape(1, 4)).tolist() == [[0, 1, 2, 3]]
    assert Order(False, {}).in_network("x", np.zeros((1, 2, 3, 4))).shape == (1, 2, 3, 4)
