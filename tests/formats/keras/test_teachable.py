"""Files of Teachable Machine are known by their layers, and nothing else is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from cnnfast.formats.keras.config import parse_model
from cnnfast.formats.keras.teachable import INPUT, RULE, is_teachable_machine


def layer(kind: str, name: str, source: str | None = None, **config: Any) -> dict[str, Any]:
    calls = [] if source is None else [[[source, 0, 0, {}]]]
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}


def exported() -> dict[str, Any]:
    """Return the skeleton of an export: a cut MobileNetV2 and a head, each in a Sequential, both in a third."""
    body = [layer("InputLayer", "input_1", batch_input_shape=[None, 224, 224, 3])]
    for block in range(17):
        body.append(layer("DepthwiseConv2D", f"block_{block}_depthwise", body[-1]["name"]))
        body.append(layer("Conv2D", f"block_{block}_project", body[-1]["name"]))
    ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [[body[-1]["name"], 0, 0]]}
    mobile = {"class_name": "Model", "config": {"name": "model1", "layers": body, **ends}}
    average = {"class_name": "GlobalAveragePooling2D", "config": {"name": "average"}}
    features = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": [mobile, average]}}
    dense = [
        layer("Dense", "dense_Dense1", units=100, activation="relu", use_bias=True),
        layer("Dense", "dense_Dense2", units=3, activation="softmax", use_bias=False),
    ]
    head = {"class_name": "Sequential", "config": {"name": "sequential_3", "layers": dense}}
    return {"class_name": "Sequential", "config": {"name": "sequential_4", "layers": [features, head]}}


def test_an_export_is_known() -> None:
    assert is_teachable_machine(parse_model(exported()), INPUT)
    assert (RULE.scale, RULE.mean, RULE.std, RULE.resize) == (1 / 127.5, (1.0,) * 3, (1.0,) * 3, "crop")


def _head(model: dict[str, Any]) -> list[dict[str, Any]]:
    return model["config"]["layers"][1]["config"]["layers"]


OTHERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "64 units": lambda m: _head(m)[0]["config"].update(units=64),
    "a bias": lambda m: _head(m)[1]["config"].update(use_bias=True),
    "scores": lambda m: _head(m)[1]["config"].update(activation="linear"),
    "three layers": lambda m: _head(m).insert(0, layer("Dense", "more", units=100, activation="relu")),
    "no average": lambda m: m["config"]["layers"][0]["config"]["layers"].pop(),
    "no head": lambda m: m["config"]["layers"].pop(),
    "a flat head": lambda m: m["config"]["layers"].__setitem__(1, _head(m)[1]),
    "another body": lambda m: m["config"]["layers"][0]["config"]["layers"][0]["config"]["layers"][1].update(
        class_name="Conv2D"
    ),
}


@pytest.mark.parametrize("change", OTHERS)
def test_other_models_are_not(change: str) -> None:
    model = copy.deepcopy(exported())
    OTHERS[change](model)
    assert not is_teachable_machine(parse_model(model), INPUT)


def test_images_of_another_size() -> None:
    assert not is_teachable_machine(parse_model(exported()), (3, 96, 96))
