"""Every key of every layer's config, and every keyword of a call, is used or refused: none is dropped in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py", reason="writing models of Keras needs h5py")
os.environ.setdefault("KERAS_BACKEND", "torch")

from formats.keras.crafted import INPUT, WEIGHTS, entry, h5_bytes, write

from cnnfast import Network
from cnnfast.errors import CnnfastError, UnsupportedError
from cnnfast.formats.keras import network  # noqa: F401  (it enters all layers)
from cnnfast.formats.keras.attributes import LayerAttributes, is_silent
from cnnfast.formats.keras.config import KerasLayer
from cnnfast.formats.keras.layer_call import LAYERS
from cnnfast.graph import Graph

RECORDED = json.loads((Path(__file__).parent / "configs.json").read_text())
"""What ``get_config()`` of Keras 3.15 gives for each layer, without what says nothing about what it computes."""

IDENTITIES = {kind for kind, reader in LAYERS.items() if reader.__name__ == "_only_in_training"}
"""Layers that do nothing in prediction, whatever their config states."""

ALIASES = {
    "Convolution2D", "SeparableConvolution2D", "MaxPool2D", "AvgPool2D", "GlobalAvgPool2D", "GlobalMaxPool2D",
    "SyncBatchNormalization",
}  # fmt: skip
ELSEWHERE = {"LayerScale", "CustomScaleLayer", "Pipeline"}
"""Classes of keras.applications, and a list of other layers: they have separate tests."""

HARMLESS = {
    ("BatchNormalization", "momentum"),
    ("BatchNormalization", "synchronized"),
    ("BatchNormalization", "renorm_momentum"),  # without renorm
    ("BatchNormalization", "renorm_clipping"),
    ("Resizing", "fill_value"),  # without padding
    ("RandomCrop", "seed"),
}

MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def graph_of(folder: Path, kind: str, config: dict[str, Any], **call: Any) -> Graph:
    """Return the graph of a model that is a single layer, from a file."""
    rng = np.random.default_rng(3)
    weights = [rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in WEIGHTS.get(kind, [])]
    specs = [
        entry("x", "InputLayer", [], {"batch_shape": [None, *INPUT]}),
        entry("y", kind, ["x", "x"] if kind in MERGES else ["x"], config, weights),
    ]
    path = write(folder / "model.h5", h5_bytes(specs, "3.15.1", call=call))
    return Network.load(path, preprocess="raw").graph


def described(graph: Graph) -> object:
    constants = {name: array.tolist() for name, array in graph.constants.items()}
    return [(node.op, node.inputs) for node in graph.nodes], constants, graph.outputs, graph.shapes


def others(value: Any) -> Iterator[Any]:
    """Yield values like one, but not it."""
    match value:
        case None:
            yield from (1, True, "x", [1], 0.5)
        case bool():
            yield not value
        case int():
            yield from (value + 1, "x")
        case float():
            yield from (value + 0.25, "x")
        case "channels_last":
            yield from ("channels_first", "x")
        case "valid":
            yield from ("same", "x")
        case "linear" | "relu":
            yield from ("tanh", "x")
        case "bilinear" | "nearest":
            yield from ({"bilinear": "nearest", "nearest": "bilinear"}[value], "x")
        case str():
            yield value + "x"
        case list():
            for index, item in enumerate(value):
                for other in others(item):
                    yield [*value[:index], other, *value[index + 1 :]]
        case dict():
            yield {"class_name": "x"}


def test_every_layer_is_recorded() -> None:
    layers = {kind for kind in LAYERS if "." not in kind}
    assert layers == {r["kind"] for r in RECORDED} | IDENTITIES | ALIASES | ELSEWHERE


@pytest.mark.parametrize("index", range(len(RECORDED)), ids=[f"{i}-{r['kind']}" for i, r in enumerate(RECORDED)])
def test_no_key_is_dropped(index: int, tmp_path: Path) -> None:
    kind, config = RECORDED[index]["kind"], RECORDED[index]["config"]
    as_recorded = described(graph_of(tmp_path, kind, config))
    dropped = []
    for key, value in config.items():
        for other in others(value):
            try:
                same = described(graph_of(tmp_path, kind, config | {key: other})) == as_recorded
            except CnnfastError:
                continue
            if same and not is_silent(key) and (kind, key) not in HARMLESS:
                dropped.append((key, other))
    assert not dropped


@pytest.mark.parametrize("kind", [r["kind"] for r in RECORDED])
def test_a_key_that_nobody_knows(kind: str, tmp_path: Path) -> None:
    config = next(r["config"] for r in RECORDED if r["kind"] == kind)
    with pytest.raises(UnsupportedError, match=r"'y' .*gain=2, which cnnfast knows nothing about"):
        graph_of(tmp_path, kind, config | {"gain": 2})
    assert graph_of(tmp_path, kind, config | {"gain": None})


@pytest.mark.parametrize("kind", sorted({r["kind"] for r in RECORDED} | IDENTITIES - {"StochasticDepth"}))
def test_a_keyword_of_the_call_that_nobody_knows(kind: str, tmp_path: Path) -> None:
    config = next((r["config"] for r in RECORDED if r["kind"] == kind), {})
    with pytest.raises(UnsupportedError, match=r"'y' .*it is called with temperature=2"):
        graph_of(tmp_path, kind, config, temperature=2)
    assert graph_of(tmp_path, kind, config, mask=None)


@pytest.mark.parametrize("kind", ["BatchNormalization", "Dropout", "GaussianNoise", "Conv2D"])
def test_layers_that_train_for_ever(kind: str, tmp_path: Path) -> None:
    config = next((r["config"] for r in RECORDED if r["kind"] == kind), {})
    with pytest.raises(UnsupportedError, match=r"'y' .*training=True; .*build it without"):
        graph_of(tmp_path, kind, config, training=True)
    assert graph_of(tmp_path, kind, config, training=False)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"type": "ndarray", "value": 6.0}, 6.0),
        ({"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}}, 6.0),
        ({"class_name": "__tensor__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}, [1.0, 2.0]),
        (6, 6),
    ],
)
def test_numbers_that_numpy_made(written: object, value: object) -> None:
    attributes = LayerAttributes(KerasLayer("y", "ReLU", "", {"max_value": written}, ()), 3)
    np.testing.assert_array_equal(attributes.array("max_value"), value)


def test_truth_values_written_as_integers(tmp_path: Path) -> None:
    config = next(r["config"] for r in RECORDED if r["kind"] == "BatchNormalization")
    written = described(graph_of(tmp_path, "BatchNormalization", config | {"scale": 1, "center": 1}))
    assert written == described(graph_of(tmp_path, "BatchNormalization", config))
    with pytest.raises(CnnfastError, match="scale must be true or false"):
        graph_of(tmp_path, "BatchNormalization", config | {"scale": 2})


@pytest.mark.parametrize("dtype", ["int8_from_float32", "int32", {"class_name": "X", "config": {"name": "uint8"}}])
def test_types_that_are_no_floats(dtype: object, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="dtype="):
        graph_of(tmp_path, "ReLU", {"dtype": dtype})


@pytest.mark.filterwarnings("ignore")
def test_the_record_is_what_keras_gives() -> None:
    keras = pytest.importorskip("keras", reason="asking Keras for its defaults needs keras and torch")
    if not keras.__version__.startswith("3.15"):
        pytest.skip(f"the record is of Keras 3.15, this is {keras.__version__}")
    for record in RECORDED:
        given = getattr(keras.layers, record["kind"]).from_config(dict(record["config"])).get_config()
        assert {key for key in given if key not in ("name", "trainable", "dtype")} == record["config"].keys()
