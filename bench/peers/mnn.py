"""MNN, of Alibaba. Its Python wrapper of the converter installs a telemetry client when imported, so it is bypassed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import _tools as tools
import MNN
import numpy as np
from networks import Bench

from peers.graphs import Normalise
from peers.to_onnx import onnx_model
from peers.ways import Way

PACKAGES = ("MNN",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of MNN; see the package."""
    inside, outside = (_Session(bench, batch, threads, pixels) for pixels in (True, False))
    normalise = Normalise(bench, batch)
    return {"uint8": inside, "float": lambda pictures: outside(normalise(pictures))}


class _Session:
    """A model made for one batch size."""

    def __init__(self, bench: Bench, batch: int, threads: int, pixels: bool) -> None:
        config = {"backend": "CPU", "precision": "high", "memory": "normal", "power": "high", "numThread": threads}
        self._interpreter = MNN.Interpreter(_converted(bench, batch, pixels))
        self._session = self._interpreter.createSession(config)
        self._input = self._interpreter.getSessionInput(self._session)
        self._output = self._interpreter.getSessionOutput(self._session)
        self._kind = MNN.Halide_Type_Uint8 if pixels else MNN.Halide_Type_Float
        self._result = np.empty(self._output.getShape(), np.float32)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        layout = MNN.Tensor_DimensionType_Caffe
        self._input.copyFrom(MNN.Tensor(images.shape, self._kind, images, layout))
        self._interpreter.runSession(self._session)
        result = MNN.Tensor(self._result.shape, MNN.Halide_Type_Float, self._result, layout)
        self._output.copyToHostTensor(result)
        return result.getNumpyData()


def _converted(bench: Bench, batch: int, pixels: bool) -> str:
    """Write the MNN file of a network and return its path."""
    folder = Path(tempfile.mkdtemp(prefix="cnnfast-bench-"))
    source, target = folder / "model.onnx", folder / "model.mnn"
    source.write_bytes(onnx_model(bench, batch, pixels).SerializeToString())
    tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target)])
    return str(target)
