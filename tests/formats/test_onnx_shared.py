"""Third-party ONNX files, where their data is at hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cnnfast import Network

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")


def test_cntk_on_mnist(shared_data: Path) -> None:
    images, labels = (
        np.frombuffer(
            gzip.decompress((shared_data / "mnist" / f"t10k-{name}.gz").read_bytes()), np.uint8, offset=offset
        )
        for name, offset in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    )
    network = Network.load(shared_data / "models" / "mnist_cntk.onnx")
    predicted = network.predict(images.reshape(-1, 1, 28, 28)[:1000].astype(np.float32), layout="nchw")
    assert (predicted == labels[:1000]).mean() == pytest.approx(0.987)


def test_paddle_with_open_height_and_width(shared_data: Path) -> None:
    path = shared_data / "models" / "pypi_rapidocr_textdir_cls.onnx"
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is the truth of this test; it is not installed")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((3, 48, 192), (3, 64, 96)):
        x = np.random.default_rng(0).standard_normal((5, *shape)).astype(np.float32)
        (expected,) = session.run(None, {session.get_inputs()[0].name: x})
        result = Network.load(path, input_shape=shape).forward(x, layout="nchw")
        np.testing.assert_allclose(result, expected, atol=1e-5)
