"""Random networks of floats against the interpreter of LiteRT: what both read gives the same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")
pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

from ai_edge_litert import interpreter as runtime
from fuzz.random_litert import random_file

from cnnfast.errors import CnnfastError
from cnnfast.formats.litert.layout import has_channels_first
from cnnfast.formats.litert.model import LiteRtModel
from cnnfast.formats.litert.network import build
from cnnfast.formats.litert.schema import read_model
from cnnfast.graph import evaluate
from cnnfast.ops import Array

SEEDS = range(200)


def interpreted(path: Path, seed: int) -> tuple[Array, Array] | None:
    """Return random images of real numbers and what the interpreter makes of them, None if it refuses the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        delegates = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            interpreter = runtime.Interpreter(str(path), experimental_op_resolver_type=delegates)
            interpreter.allocate_tensors()
            (source,) = interpreter.get_input_details()
            raw, real = _images(source, np.random.default_rng(seed))
            interpreter.set_tensor(source["index"], raw)
            interpreter.invoke()
        except (RuntimeError, ValueError):
            return None
    (output,) = interpreter.get_output_details()
    scale, zero = output["quantization"]
    result = interpreter.get_tensor(output["index"]).astype(np.float64)
    return real, (result - zero) * scale if scale else result


def _images(source: dict[str, Any], rng: np.random.Generator) -> tuple[Array, Array]:
    if source["dtype"] == np.float32:
        x = rng.normal(0, 2, source["shape"]).astype(np.float32)
        return x, x
    limits, (scale, zero) = np.iinfo(source["dtype"]), source["quantization"]
    raw = rng.integers(max(limits.min, -300), min(limits.max, 300), source["shape"]).astype(source["dtype"])
    return raw, (raw.astype(np.float64) - zero) * (scale or 1)


def ours(model: LiteRtModel, images: Array) -> Array:
    """Return what the graph of a file makes of images, axes as in the file."""
    turned = has_channels_first(model, None)
    graph = build(model, turned)
    x = images.transpose(0, 3, 1, 2) if images.ndim == 4 and not turned else images
    with np.errstate(all="ignore"):
        y = evaluate(graph, np.ascontiguousarray(x))[graph.outputs[0]]
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


def test_what_both_read_gives_the_same_numbers(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    agreed = 0
    for seed in SEEDS:
        path.write_bytes(random_file(np.random.default_rng(seed), 0.02))
        model = read_model(path)
        try:
            build(model)
        except CnnfastError:
            continue
        # its kernels for integers were not made for random scales
        if any(tensor.is_quantized for tensor in model.tensors) or (found := interpreted(path, seed)) is None:
            continue
        images, theirs = found
        mine = ours(read_model(path), images)
        assert mine.squeeze().shape == theirs.squeeze().shape, f"seed {seed}"
        # what is not a number stays none here, while LiteRT's maximum passes it over
        finite = np.isfinite(theirs.reshape(mine.shape)) & np.isfinite(mine)
        scale = np.abs(theirs).max(initial=1e-3, where=np.isfinite(theirs))
        difference = np.abs(mine - theirs.reshape(mine.shape)).max(initial=0, where=finite)
        assert difference / scale < 1e-4, f"seed {seed}"
        agreed += 1
    assert agreed > len(SEEDS) // 8
