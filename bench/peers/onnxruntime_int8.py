"""ONNX Runtime in eight-bit integers, by its own static quantization: QDQ, each channel of weights on its own scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from integer_networks import calibration_pictures
from networks import BENCHES, Bench
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

from peers.onnxruntime import ways_of
from peers.to_onnx import FRONT, onnx_model
from peers.ways import Way

PACKAGES = ("onnxruntime", "onnx")

FLOAT = "onnxruntime"

PIECE = 20
"""How many pictures it calibrates with at a time."""

BATCH = "N"
"""The name of the number of images while a model is quantized."""


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of ONNX Runtime; see the package."""
    return ways_of(bench, batch, threads, _fixed(bench, batch, True), _fixed(bench, batch, False))


def _fixed(bench: Bench, batch: int, pixels: bool) -> onnx.ModelProto:
    """Return a quantized model for one batch size."""
    model = onnx.ModelProto.FromString(_quantized(bench.id, pixels))
    make_dim_param_fixed(model.graph, BATCH, batch)
    return model


@cache
def _quantized(id: str, pixels: bool) -> bytes:
    """Quantize a network; what normalizes pixels stays in float, and so does the softmax, as in our own."""
    bench = BENCHES[id]
    model = onnx_model(bench, BATCH, pixels)
    in_float = [node.name for node in model.graph.node if node.op_type == "Softmax"]
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(model.SerializeToString())
        quantize_static(
            source,
            target,
            _Pictures(bench, model.graph.input[0].name, pixels),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=[*FRONT, *in_float],
        )
        return target.read_bytes()


class _Pictures(CalibrationDataReader):
    """The random pictures that our own integers are made from."""

    def __init__(self, bench: Bench, name: str, pixels: bool) -> None:
        pictures = calibration_pictures(bench)
        values = pictures if pixels else bench.preprocess(pictures)
        # its calibrator keeps every value of a batch
        self._batches: Iterator[dict[str, np.ndarray]] = iter(
            [{name: values[i : i + PIECE]} for i in range(0, len(values), PIECE)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, or None behind the last one."""
        return next(self._batches, None)
