"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnxruntime as ort
from networks import Bench

from peers.graphs import Normalize
from peers.to_onnx import onnx_model
from peers.ways import Way

PACKAGES = ("onnxruntime",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of ONNX Runtime; see the package."""
    return ways_of(bench, batch, threads, *(onnx_model(bench, batch, pixels) for pixels in (True, False)))


def ways_of(
    bench: Bench, batch: int, threads: int, of_pixels: onnx.ModelProto, of_floats: onnx.ModelProto
) -> Mapping[str, Way]:
    """Return the ways in which a model runs: one that normalizes pixels itself, and one that NumPy does it for."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    inside, outside = (
        ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        for model in (of_pixels, of_floats)
    )
    name, normalize = outside.get_inputs()[0].name, Normalize(bench, batch)
    return {
        "uint8": lambda pictures: inside.run(None, {"pixels": pictures})[0],
        "float": lambda pictures: outside.run(None, {name: normalize(pictures)})[0],
    }
