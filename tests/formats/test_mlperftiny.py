"""The CIFAR-10 ResNet of MLPerf Tiny as its authors published it: HDF5 of Keras 2, LiteRT float, LiteRT int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.shared_cifar10 import tiles_of

from cnnfast import Network
from cnnfast.ops import Array

FILES = {
    "mlperftiny_resnet8_cifar10.h5": (None, "raw", 881),
    "mlperftiny_resnet8_cifar10_float.tflite": ("tflite", "raw", 881),
    # what its authors measured with 8-bit arithmetic; in float 882
    "mlperftiny_resnet8_cifar10_int8.tflite": ("tflite", None, 878),
}
"""The package that its reader needs, what a byte means where the file is silent, and how many of 1,000 are right."""


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Array:
    return tiles_of(shared_data, "test_batch")[:1000]


@pytest.mark.parametrize("name", FILES)
def test_accuracy_of_bytes_before_and_after_saving(name: str, images: Array, shared_data: Path, tmp_path: Path) -> None:
    package, preprocess, right = FILES[name]
    if package is not None:
        pytest.importorskip(package, reason=f"reading {name} needs {package}")
    labels = np.fromfile(shared_data / "cifar10" / "test_batch.labels", np.uint8)[:1000]
    net = Network.load(shared_data / "models" / name, **({"preprocess": preprocess} if preprocess else {}))
    probabilities = net.forward(images)
    assert int((probabilities.argmax(axis=1) == labels).sum()) == right
    net.save(tmp_path / "copy.safetensors")
    np.testing.assert_array_equal(Network.load(tmp_path / "copy.safetensors").forward(images), probabilities)
