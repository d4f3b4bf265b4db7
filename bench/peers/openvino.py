"""OpenVINO. Float32 is asked for: by default it may compute in a narrower type where the CPU has one."""

from __future__ import annotations

from collections.abc import Mapping

import openvino as ov
from networks import Bench

from peers.graphs import Normalize
from peers.to_onnx import onnx_model
from peers.ways import Way

PACKAGES = ("openvino",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of OpenVINO; see the package."""
    return ways_of(bench, batch, threads, *(_read(bench, batch, pixels) for pixels in (True, False)))


def ways_of(bench: Bench, batch: int, threads: int, of_pixels: ov.Model, of_floats: ov.Model) -> Mapping[str, Way]:
    """Return the ways in which a model runs: one that normalizes pixels itself, and one that NumPy does it for."""
    core = ov.Core()
    config = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # pinned to a core that others use, it becomes a hundred times slower
    }
    inside, outside = (
        core.compile_model(model, "CPU", config).create_infer_request() for model in (of_pixels, of_floats)
    )
    normalize = Normalize(bench, batch)
    return {
        "uint8": lambda pictures: inside.infer([pictures], share_inputs=True, share_outputs=True)[0],
        "float": lambda pictures: outside.infer([normalize(pictures)], share_inputs=True, share_outputs=True)[0],
    }


def _read(bench: Bench, batch: int, pixels: bool) -> ov.Model:
    return ov.Core().read_model(onnx_model(bench, batch, pixels).SerializeToString(), b"")
