"""MNN, of Alibaba. Its Python wrapper of the converter installs a telemetry client when imported, so it is bypassed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import _tools as tools
import MNN
import numpy as np
from networks import Bench

from peers.graphs import Normalize
from peers.to_onnx import onnx_model
from peers.ways import Way

PACKAGES = ("MNN",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of MNN; see the package."""
    inside, outside = (_Session(bench, batch, threads, pixels) for pixels in (True, False))
    normalize = Normalize(bench, batch)
    return {
        "uint8": lambda pictures: inside(lambda out: np.copyto(out, pictures)),
        "float": lambda pictures: outside(lambda out: normalize(pictures, out)),
    }


class _Session:
    """A model made for one batch size."""

    def __init__(self, bench: Bench, batch: int, threads: int, pixels: bool) -> None:
        config = {"backend": "CPU", "precision": "high", "memory": "normal", "power": "high", "numThread": threads}
        self._interpreter = _interpreter(bench, batch, pixels)
        self._session = self._interpreter.createSession(config)
        self._input = self._interpreter.getSessionInput(self._session)
        self._output = self._interpreter.getSessionOutput(self._session)

    def __call__(self, fill: Callable[[np.ndarray], object]) -> np.ndarray:
        """Run the model on what ``fill`` writes straight into its input."""
        fill(self._input.getNumpyData())
        self._interpreter.runSession(self._session)
        return self._output.getNumpyData().copy()


def _interpreter(bench: Bench, batch: int, pixels: bool) -> MNN.Interpreter:
    """Convert a network and read the result."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "model.onnx"), Path(folder, "model.mnn")
        source.write_bytes(onnx_model(bench, batch, pixels).SerializeToString())
        tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target)])
        return MNN.Interpreter(str(target))
