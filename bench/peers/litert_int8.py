"""LiteRT in eight-bit integers of its own quantizer: int8 values, each channel of weights on its own scale."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

from ai_edge_quantizer import Quantizer, recipe_manager
from ai_edge_quantizer.qtyping import TFLOperationName
from integer_networks import calibration_pictures
from networks import BENCHES, Bench

from peers.graphs import exported_graph
from peers.litert import ways_of
from peers.to_tflite import FRONT, INPUT, SIGNATURE, tflite_model
from peers.ways import Way

PACKAGES = ("ai-edge-litert", "ai-edge-quantizer")

FLOAT = "litert"

LEAST_SQUARES, IN_FLOAT = "MSE", "no_quantize"


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of LiteRT; see the package."""
    with warnings.catch_warnings():
        # of the memory that all values take, which its calibration needs
        warnings.simplefilter("ignore")
        models = [_quantized(bench, batch, pixels) for pixels in (True, False)]
    return ways_of(bench, batch, threads, *models)


def _quantized(bench: Bench, batch: int, pixels: bool) -> bytes:
    """Return a quantized model for one batch size; ranges are those of single pictures."""
    quantizer = Quantizer(tflite_model(bench, batch, pixels), _recipe(bench))
    model = quantizer.quantize(_ranges(bench.id, pixels), enable_progress_report=False).quantized_model
    return bytes(model)


def _recipe(bench: Bench) -> list[dict[str, Any]]:
    """Return what is quantized: all but the ends, what normalizes pixels, and the softmax, as with our own.

    The layer that makes the scores is in float, too: as integers it rounds them to 8 bits, which is a third to a half
    of what the results of two pictures differ by, and more than our check lets through.
    """
    manager = recipe_manager.RecipeManager()
    everything = TFLOperationName.ALL_SUPPORTED
    manager.add_static_config(".*", everything, activation_num_bits=8, weight_num_bits=8, algorithm_key=LEAST_SQUARES)
    scores = exported_graph(bench).nodes[-1].inputs[0]
    for name in (*FRONT, scores):
        manager.add_quantization_config(f"^{re.escape(name)};?$", everything, algorithm_key=IN_FLOAT)
    for kind in (TFLOperationName.SOFTMAX, TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        manager.add_quantization_config(".*", kind, algorithm_key=IN_FLOAT)
    return list(manager.get_quantization_recipe())


@cache
def _ranges(id: str, pixels: bool) -> Any:
    """Return the ranges of all values over the pictures that our own integers are made from."""
    bench = BENCHES[id]
    pictures = calibration_pictures(bench)
    values = pictures if pixels else bench.preprocess(pictures).transpose(0, 2, 3, 1)
    images = [{INPUT: values[i : i + 1]} for i in range(len(values))]
    return Quantizer(tflite_model(bench, 1, pixels), _recipe(bench)).calibrate({SIGNATURE: images})
