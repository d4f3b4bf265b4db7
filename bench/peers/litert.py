"""LiteRT, the engine of TensorFlow Lite, with its XNNPACK kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from networks import Bench

from peers.graphs import Normalize
from peers.to_tflite import tflite_model
from peers.ways import Way

PACKAGES = ("ai-edge-litert",)


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of LiteRT; see the package."""
    return ways_of(bench, batch, threads, *(tflite_model(bench, batch, pixels) for pixels in (True, False)))


def ways_of(bench: Bench, batch: int, threads: int, of_pixels: bytes, of_floats: bytes) -> Mapping[str, Way]:
    """Return the ways in which a model runs: one that normalizes pixels itself, and one that NumPy does it for."""
    inside, outside = (_runner(model, threads) for model in (of_pixels, of_floats))
    normalize = Normalize(bench, batch, "nhwc")
    return {
        "uint8": lambda pictures: inside(lambda out: np.copyto(out, pictures)),
        "float": lambda pictures: outside(lambda out: normalize(pictures, out)),
    }


def _runner(model: bytes, threads: int) -> Callable[[Callable[[np.ndarray], object]], np.ndarray]:
    """Return a function that runs a model on what its argument writes straight into the input."""
    interpreter = Interpreter(model_content=model, num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(fill: Callable[[np.ndarray], object]) -> np.ndarray:
        fill(interpreter.tensor(source)())
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run
