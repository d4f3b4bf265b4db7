"""Small models built by Keras itself, saved in both of its files: the same results as Keras."""

from __future__ import annotations

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
    keras: Any = pytest.importorskip("keras", reason="building models of Keras needs keras and torch")

from formats.keras.models import MODELS, randomize

from cnnfast import Network

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_same_results_as_keras(name: str, suffix: str, tmp_path: Path) -> None:
    logging.disable(logging.WARNING)  # Keras calls .h5 legacy each time
    keras.backend.clear_session()
    model = randomize(MODELS[name](keras, keras.layers))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    logging.disable(logging.NOTSET)
    net = Network.load(path)
    images = np.random.default_rng(1).integers(0, 256, (4, *model.input_shape[1:]), dtype=np.uint8)
    if net.preprocess is None or (net.preprocess.scale == 1 and max(net.preprocess.std) == 1):
        images = images.astype(np.float32) / 127.5 - 1
    result = net.forward(images, layout="nhwc")
    if result.ndim == 4:
        result = result.transpose(0, 2, 3, 1)
    wanted = model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(result, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
