"""The same families by way of ONNX, with both exporters of PyTorch: the file states what the module says."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("onnx", reason="the extra onnx is not installed")

from formats.torch.test_zoo import assert_alike  # noqa: E402
from formats.torch.zoo import ZOO, trained  # noqa: E402

from cnnfast import Network  # noqa: E402


@pytest.mark.parametrize("exporter", ["legacy", pytest.param("dynamo", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ZOO)
def test_a_family(name: str, exporter: str, tmp_path: Path) -> None:
    if exporter == "dynamo":
        pytest.importorskip("onnxscript", reason="the newer exporter of PyTorch needs onnxscript")
    module, path = trained(name), tmp_path / "net.onnx"
    images = np.random.default_rng(0).standard_normal((16, 3, 32, 32)).astype(np.float32)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs = module(torch.from_numpy(images)).numpy()
        example = (torch.zeros(2, 3, 32, 32),)
        if exporter == "legacy":
            batch = {"images": {0: "batch"}, "scores": {0: "batch"}}
            names = {"input_names": ["images"], "output_names": ["scores"], "dynamic_axes": batch}
            torch.onnx.export(module, example, str(path), dynamo=False, **names)
        else:
            shapes = ({0: torch.export.Dim("batch")},)
            torch.onnx.export(module, example, str(path), dynamo=True, dynamic_shapes=shapes, verbose=False)
    assert_alike(Network.load(path).forward(images, layout="nchw"), theirs)
