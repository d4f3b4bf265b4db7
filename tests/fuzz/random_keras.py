"""Files of Keras that a stranger might write: whole archives of a few layers with random attributes, calls and weights.

Damage to bytes rarely gets past the first check; here HDF5, zip and JSON are whole, and what is wrong is what they say.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from formats.keras.crafted import NAMES, WEIGHTS, config, entry
from fuzz.odd_json import ODD, changed

from cnnfast.formats.keras import network  # noqa: F401  (it enters the layers)
from cnnfast.formats.keras.layer_call import LAYERS
from cnnfast.formats.keras.weights import snake_case
from cnnfast.ops import Array

Rng = np.random.Generator
Spec = dict[str, Any]

RECORDED = json.loads((Path(__file__).parents[1] / "formats" / "keras" / "configs.json").read_text())
CONFIGS: dict[str, list[dict[str, Any]]] = {}
for _record in RECORDED:
    CONFIGS.setdefault(_record["kind"], []).append(_record["config"])

FUNCTIONS: dict[str, dict[str, Any]] = {
    "Mean": {"axis": [1, 2], "keepdims": True},
    "Max": {"axis": -1, "keepdims": False},
    "Gelu": {"approximate": True},
    "Concatenate": {"axis": -1},
    "Softmax": {"axis": -1},
    "LogSoftmax": {"axis": 1},
}
"""Attributes of functions of keras.ops that have any."""

OWN: dict[str, dict[str, Any]] = {
    "CustomScaleLayer": {"scale": 0.5},
    "Pipeline": {"layers": [{"class_name": "RandomFlip", "config": {}}]},
    "TFOpLambda": {"function": "nn.softmax"},
    "Lambda": {"function": "x"},
}


def random_file(rng: Rng, odd: float = 0.1) -> bytes:
    """Return a file of one to five layers, most of which read the one before; ``odd`` is how much is nonsense."""
    version = "3.15.1" if rng.random() < 0.6 else "2.4.0"
    specs = _layers(rng, odd)
    model = config(specs, int(version[0]), _call(rng, odd))
    for layer in model["config"]["layers"]:
        if layer["class_name"].startswith("ops."):
            layer |= {"class_name": layer["class_name"][4:], "module": "keras.src.ops.numpy"}
    if rng.random() < 0.2:
        model = _nested(model, int(version[0]))
    if rng.random() < 3 * odd:
        model = changed(model, rng, odd / 2)
    return _h5(specs, model, version) if rng.random() < 0.5 else _zip(specs, model, version, rng, odd)


def _layers(rng: Rng, odd: float) -> list[Spec]:
    size = _one(rng, [(6, 5, 3), (4, 4, 3), (3, 3, 3), (1, 1, 3), (4, 3), (3,), (3, 8, 8), (3, 3, 3, 3)])
    shape: list[Any] = [None, *size]
    if rng.random() < odd:
        shape[int(rng.integers(len(shape)))] = _one(rng, ODD)
    specs = [entry("x", "InputLayer", [], {"batch_shape": shape})]
    kinds = [kind for kind in LAYERS if not kind.startswith("tf.")] + ["TFOpLambda", "Lambda"]
    for number in range(int(rng.integers(1, 6))):
        kind = _one(rng, kinds if rng.random() < 0.4 else list(CONFIGS))
        settings = _one(rng, CONFIGS.get(kind) or [FUNCTIONS.get(kind.removeprefix("ops."), OWN.get(kind, {}))])
        if rng.random() < 4 * odd:
            settings = changed(settings, rng, odd) if settings else {"gain": _one(rng, ODD)}
        known = [spec["name"] for spec in specs]
        sources = [known[-1]] if rng.random() < 0.9 else [_one(rng, [*known, f"y{number}", "nothing"])]
        if kind in ("Add", "Multiply", "Concatenate", "Average", "ops.Add") or rng.random() < odd:
            sources.append(_one(rng, known))
        arrays = [_weight(rng, odd, weight) for weight in WEIGHTS.get(kind, [])]
        if arrays and rng.random() < odd:
            arrays.pop()
        specs.append(entry(f"y{number}", kind, sources, settings if isinstance(settings, dict) else {}, arrays))
    return specs


def _weight(rng: Rng, odd: float, shape: tuple[int, ...]) -> Array:
    sizes = list(shape)
    if rng.random() < odd:
        sizes[int(rng.integers(len(sizes)))] = int(_one(rng, [0, 1, 2, 7]))
    if rng.random() < odd / 2:
        sizes = sizes[1:] or [*sizes, 2]
    values = rng.uniform(-1, 1, sizes).astype(_one(rng, [np.float32, np.float16, np.float64, np.int32]))
    if rng.random() < odd and values.size:
        values.flat[0] = _one(rng, [0, 127, -1]) if values.dtype.kind == "i" else _one(rng, [np.inf, np.nan, 6e4])
    return np.asarray(values)


def _call(rng: Rng, odd: float) -> dict[str, Any] | None:
    if rng.random() > odd:
        return None
    return {_one(rng, ["training", "mask", "axis", "y", "x2", "name"]): _one(rng, [*ODD, ["x", 0, 0]])}


def _nested(model: dict[str, Any], version: int) -> dict[str, Any]:
    """Return a model that calls a model."""
    first = model["config"]["layers"][0]
    shape = first["config"].get("batch_shape", first["config"].get("batch_input_shape"))
    outer = config([entry("i", "InputLayer", [], {"batch_shape": shape}), entry("m", "Functional", ["i"], {})], version)
    outer["config"]["layers"][1]["config"] = model["config"]
    return outer


def _h5(specs: list[Spec], model: dict[str, Any], version: str) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs.update({"model_config": json.dumps(model), "keras_version": version})
        root = file.create_group("model_weights")
        for spec in specs:
            group = root.create_group(spec["name"])
            names = [f"{spec['name']}/{role}:0" for role, _ in zip(NAMES, spec["weights"], strict=False)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, spec["weights"], strict=True):
                group[name] = array
    return stream.getvalue()


def _zip(specs: list[Spec], model: dict[str, Any], version: str, rng: Rng, odd: float) -> bytes:
    weights, seen = io.BytesIO(), dict[str, int]()
    with h5py.File(weights, "w") as file:
        for spec in specs:
            kind = snake_case(spec["kind"])
            number = seen[kind] = seen.get(kind, -1) + 1
            group = file.create_group(f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars")
            for index, array in enumerate(spec["weights"]):
                group[str(index)] = array
    members = {"metadata.json": json.dumps({"keras_version": version}), "config.json": json.dumps(model)}
    if rng.random() < odd:
        members["metadata.json"] = json.dumps(_one(rng, [*ODD, {"keras_version": _one(rng, ODD)}]))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {**members, "model.weights.h5": weights.getvalue()}.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _one(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
