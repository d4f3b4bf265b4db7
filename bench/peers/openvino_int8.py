"""OpenVINO in eight-bit integers, by the post-training quantization of NNCF with its own choices."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

import nncf
import openvino as ov
from integer_networks import CALIBRATION_OF_PEERS, calibration_pictures
from networks import BENCHES, Bench

from peers.openvino import ways_of
from peers.to_onnx import FRONT, onnx_model
from peers.ways import Way

PACKAGES = ("openvino", "nncf")

FLOAT = "openvino"


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of OpenVINO; see the package."""
    return ways_of(bench, batch, threads, *(_fixed(bench, batch, pixels) for pixels in (True, False)))


def _fixed(bench: Bench, batch: int, pixels: bool) -> ov.Model:
    """Return a quantized model for one batch size."""
    model = _quantized(bench.id, pixels).clone()
    model.reshape([batch, *model.input(0).get_partial_shape().get_min_shape()[1:]])
    return model


@cache
def _quantized(id: str, pixels: bool) -> ov.Model:
    """Quantize a network; what normalizes pixels stays in float, and so does the softmax, as in our own."""
    bench = BENCHES[id]
    nncf.set_log_level(logging.ERROR)
    source = onnx_model(bench, "N", pixels)
    model = ov.Core().read_model(source.SerializeToString(), b"")
    pictures = calibration_pictures(bench)
    values = pictures if pixels else bench.preprocess(pictures)
    in_float = [node.name for node in source.graph.node if node.op_type == "Softmax"]
    ignored = nncf.IgnoredScope(names=[*(FRONT if pixels else ()), *in_float], validate=False)
    images = nncf.Dataset([values[i : i + 1] for i in range(len(values))])
    return nncf.quantize(model, images, subset_size=CALIBRATION_OF_PEERS, ignored_scope=ignored)
