"""Files of Keras written by hand, and what the network in them computes, pixel by pixel; no Keras is needed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cnnfast.ops import Array

INPUT = (6, 5, 3)
NAMES = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "mean", "variance", "count")

WEIGHTS: dict[str, list[tuple[int, ...]]] = {
    "PReLU": [(1, 1, 3)],
    "Conv2D": [(3, 3, 3, 4), (4,)],
    "DepthwiseConv2D": [(3, 3, 3, 1), (3,)],
    "SeparableConv2D": [(3, 3, 3, 1), (1, 1, 3, 4), (4,)],
    "Dense": [(3, 4), (4,)],
    "BatchNormalization": [(3,)] * 4,
    "LayerNormalization": [(3,)] * 2,
    "LayerScale": [(3,)],
}
"""The shapes of the weights of layers on images of `INPUT`, in the order of Keras."""


def layers(seed: int = 0) -> list[dict[str, Any]]:
    """Return the layers of a small network with a residual connection, each with its weights in the order of Keras."""
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    norm = [random(4), random(4), random(4), rng.uniform(0.5, 1.5, 4).astype(np.float32)]
    return [
        entry("pixels", "InputLayer", [], {"batch_shape": [None, *INPUT]}),
        entry("scaled", "Rescaling", ["pixels"], {"scale": 1 / 127.5, "offset": -1.0}),
        entry(
            "stem",
            "Conv2D",
            ["scaled"],
            {"filters": 4, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "activation": "relu"},
            [random(3, 3, 3, 4), random(4)],
        ),
        entry("norm", "BatchNormalization", ["stem"], {"axis": [3], "epsilon": 0.001}, norm),
        entry("sum", "Add", ["norm", "stem"], {}),
        entry("pool", "MaxPooling2D", ["sum"], {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"}),
        entry("flat", "Flatten", ["pool"], {}),
        entry("drop", "Dropout", ["flat"], {"rate": 0.5}),
        entry("head", "Dense", ["drop"], {"units": 5, "activation": "softmax"}, [random(24, 5), random(5)]),
    ]


def entry(
    name: str, kind: str, sources: list[str], config: dict[str, Any], weights: list[Array] | tuple[()] = ()
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "sources": sources,
        "config": {"name": name, **config},
        "weights": weights or [],
    }


def expected(specs: list[dict[str, Any]], images: Array) -> Array:
    """Compute the network of `layers` in float64, for images (N, H, W, C)."""
    _, _, stem, norm, *_, head = specs
    x = images / 127.5 - 1
    kernel, bias = (w.astype(np.float64) for w in stem["weights"])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((len(x), *INPUT[:2], 4)) + bias
    for row in range(3):
        for column in range(3):
            y += padded[:, row : row + INPUT[0], column : column + INPUT[1]] @ kernel[row, column]
    y = np.maximum(y, 0)
    gamma, beta, mean, var = (w.astype(np.float64) for w in norm["weights"])
    y = (y - mean) / np.sqrt(var + 0.001) * gamma + beta + y
    y = y[:, :6, :4].reshape(len(x), 3, 2, 2, 2, 4).max(axis=(2, 4))
    kernel, bias = (w.astype(np.float64) for w in head["weights"])
    scores = np.exp(y.reshape(len(x), -1) @ kernel + bias)
    return scores / scores.sum(axis=1, keepdims=True)


def config(specs: list[dict[str, Any]], version: int = 3, call: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the configuration of a functional model, as Keras 2 or 3 writes it; all are called with the same words."""
    named = call or {}
    written = []
    for spec in specs:
        tensors = [[source, 0, 0] for source in spec["sources"]]
        if version == 2:
            calls: Any = [[[*tensor, named] for tensor in tensors]] if tensors else []
        else:
            args = [{"class_name": "__keras_tensor__", "config": {"keras_history": t}} for t in tensors]
            calls = [{"args": [args] if len(args) > 1 else args, "kwargs": named}] if args else []
        settings = dict(spec["config"])
        if version == 2 and "batch_shape" in settings:
            settings["batch_input_shape"] = settings.pop("batch_shape")
        layer = {"class_name": spec["kind"], "config": settings, "name": spec["name"], "inbound_nodes": calls}
        written.append(layer | ({"module": "keras.layers"} if version == 3 else {}))
    ends = [[specs[0]["name"], 0, 0]], [[specs[-1]["name"], 0, 0]]
    inner = {"name": "model", "layers": written, "input_layers": ends[0], "output_layers": ends[1]}
    return {"class_name": "Functional", "config": inner}


def h5_bytes(
    specs: list[dict[str, Any]], version: str = "2.4.0", call: dict[str, Any] | None = None, **attributes: Any
) -> bytes:
    """Return an ``.h5`` file."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        text = json.dumps(config(specs, int(version[0]), call))
        file.attrs.update({"model_config": text, "keras_version": version, "backend": "tensorflow"} | attributes)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [spec["name"].encode() for spec in specs]
        for spec in specs:
            group = root.create_group(spec["name"])
            roles = NAMES[2:6] if len(spec["weights"]) == 4 else NAMES
            names = [f"{spec['name']}/{role}:0" for role, _ in zip(roles, spec["weights"], strict=False)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, spec["weights"], strict=True):
                group[name] = array
    return stream.getvalue()


def keras_bytes(specs: list[dict[str, Any]], model: dict[str, Any] | None = None, **members: bytes) -> bytes:
    """Return a ``.keras`` file; members replace or add to those that Keras writes, with _ for the dots."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for spec in specs:
            place = {"BatchNormalization": "batch_normalization", "MaxPooling2D": "max_pooling2d"}
            group = file.create_group(f"layers/{place.get(spec['kind'], spec['kind'].lower())}/vars")
            for index, array in enumerate(spec["weights"]):
                group[str(index)] = array
    contents = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(model or config(specs)).encode(),
        "model.weights.h5": weights.getvalue(),
    }
    contents |= {name.replace("__", "."): content for name, content in members.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            # a fixed date makes the same bytes each time
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
