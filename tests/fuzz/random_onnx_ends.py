"""ONNX files of which a stranger has changed all but the operators: inputs, outputs, weights, names, operator sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from formats.onnx_small import classifier, model, node
from onnx import ModelProto, helper

SIZES = (0, 1, -1, 2, 3, 8, 224, 2**31, 2**62, 2**63 - 1, -(2**63))
NAMES = ("", "x", "y", "w", "c", "fc", "scores", "a\0b", "\x1b[2J", "é" * 300)
PLACES = ("", "../x", "model", "/etc/passwd", "a\0b", "x" * 400, "-1", "1e9", "9" * 20, ".", "./", "model/x", "0")

Rng = np.random.Generator
T = TypeVar("T")


def random_file(rng: Rng, odd: float = 0.1) -> bytes:
    """Return a file; ``odd`` is how much is nonsense."""
    last = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t w", "y")]
    weights = {"w": np.ones((4, 3, 3, 3), np.float32)}
    proto = _one(rng, (classifier(13), classifier(17), model(last, ("N", 6, 8, 3), weights)))
    for _ in range(1 + rng.binomial(9, odd)):
        _one(rng, CHANGES)(proto, rng)
    return bytes(proto.SerializeToString())


def random_options(rng: Rng) -> dict[str, Any]:
    """Return what a user might say about such a file."""
    shapes = ((3, 8, 8), (8, 8, 3), (3,), (), (0, 0, 0), (2**40, 1, 1), (3, -1, 2))
    said = {"output": _one(rng, NAMES), "input_shape": _one(rng, shapes), "input_layout": _one(rng, ("nchw", "nhwc"))}
    return {name: value for name, value in said.items() if rng.random() < 0.2}


def _one(rng: Rng, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _several(rng: Rng, choices: Sequence[T], most: int) -> list[T]:
    return [_one(rng, choices) for _ in range(int(rng.integers(most + 1)))]


def _sizes_of_an_input(proto: ModelProto, rng: Rng) -> None:
    for value in proto.graph.input[:1]:
        del value.type.tensor_type.shape.dim[:]
        for size in _several(rng, SIZES, 6):
            entry = value.type.tensor_type.shape.dim.add()
            if rng.random() < 0.7:
                entry.dim_value = size
            elif rng.random() < 0.5:
                entry.dim_param = _one(rng, NAMES)


def _type_of_an_input(proto: ModelProto, rng: Rng) -> None:
    for value in proto.graph.input[:1]:
        match int(rng.integers(3)):
            case 0:
                value.type.tensor_type.elem_type = int(rng.integers(-2, 30))
            case 1:
                value.type.Clear()
            case 2:
                value.type.sequence_type.elem_type.tensor_type.elem_type = 1


def _a_tensor(proto: ModelProto, rng: Rng) -> None:
    tensor = _one(rng, proto.graph.initializer)
    match int(rng.integers(4)):
        case 0:
            del tensor.dims[:]
            tensor.dims.extend(_several(rng, SIZES, 5))
        case 1:
            tensor.data_type = int(rng.integers(-1, 30))
        case 2:
            tensor.raw_data = bytes(int(rng.integers(64)))
        case 3:
            tensor.name = _one(rng, NAMES)


def _external_data(proto: ModelProto, rng: Rng) -> None:
    tensor = _one(rng, proto.graph.initializer)
    tensor.data_location = 1
    for key in _several(rng, ("location", "location", "offset", "length", "x"), 4):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, _one(rng, PLACES)


def _ends(proto: ModelProto, rng: Rng) -> None:
    graph = proto.graph
    match int(rng.integers(5)):
        case 0:
            del graph.output[:]
        case 1:
            graph.output.add().name = _one(rng, NAMES)
        case 2:
            del graph.input[:]
        case 3:
            graph.input.add().CopyFrom(graph.input[0] if graph.input else graph.output.add())
        case 4:
            for value in (*graph.input[:1], *graph.output[:1]):
                value.name = _one(rng, NAMES)


def _operator_sets(proto: ModelProto, rng: Rng) -> None:
    match int(rng.integers(3)):
        case 0:
            del proto.opset_import[:]
        case 1:
            proto.opset_import.add().domain = _one(rng, ("", "ai.onnx", "é", "com.microsoft"))
        case 2:
            proto.opset_import.add().version = _one(rng, (0, -1, 7, 13, 17, 99, 2**62))


def _a_function(proto: ModelProto, rng: Rng) -> None:
    function = proto.functions.add()
    function.name, function.domain = _one(rng, ("Relu", "F")), _one(rng, ("", "my"))
    function.input.extend(_several(rng, NAMES, 2))
    function.output.extend(_several(rng, NAMES, 2))
    for place in (function, proto.graph):
        place.node.append(helper.make_node("F", [_one(rng, NAMES)], [_one(rng, NAMES)], domain="my"))


def _a_branch(proto: ModelProto, rng: Rng) -> None:
    inner = helper.make_node(_one(rng, ("Relu", "If", "Identity")), [_one(rng, NAMES)], [_one(rng, NAMES)])
    branch = helper.make_graph([inner], "branch", [], [helper.make_tensor_value_info(_one(rng, NAMES), 1, None)])
    outer = helper.make_node("If", _several(rng, NAMES, 1), [_one(rng, NAMES)])
    for name in _several(rng, ("then_branch", "else_branch"), 2):
        outer.attribute.append(helper.make_attribute(name, branch))
    proto.graph.node.append(outer)


def _names(proto: ModelProto, rng: Rng) -> None:
    chosen = _one(rng, proto.graph.node)
    names = chosen.input if rng.random() < 0.5 else chosen.output
    if names:
        names[int(rng.integers(len(names)))] = _one(rng, NAMES)


CHANGES: tuple[Callable[[ModelProto, Rng], None], ...] = (
    *(_sizes_of_an_input, _type_of_an_input, _a_tensor, _external_data, _ends, _operator_sets, _a_function),
    *(_a_branch, _names),
)
