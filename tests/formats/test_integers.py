"""Networks of integers in our own file: the same again, a quarter of the bytes, nothing let in unchecked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.crafted import join, split
from small_integers import float_graph, integer_graph, integer_model

from cnnfast import Network, ops
from cnnfast.errors import CnnfastError
from cnnfast.formats import Model, load_model, save
from cnnfast.graph import Graph, Node, evaluate
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.graph.integers import grid_of
from cnnfast.ops.quantized import QUANTIZED_OPS, IntegerLinear


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def test_the_network_has_every_op_of_bytes() -> None:
    assert {node.op.name for node in integer_graph().nodes} >= set(QUANTIZED_OPS) - {"dequantize"}


def test_round_trip(path: Path) -> None:
    model = integer_model()
    save(model, path)
    loaded = load_model(path)
    assert loaded.graph.nodes == model.graph.nodes
    assert (loaded.preprocess, loaded.classes, loaded.license) == (model.preprocess, model.classes, model.license)
    assert loaded.graph.constants.keys() == model.graph.constants.keys()
    for name, array in model.graph.constants.items():
        assert loaded.graph.constants[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded.graph.constants[name], array)
    x = np.random.default_rng(1).normal(size=(4, 3, 8, 8))
    ours, theirs = evaluate(model.graph, x), evaluate(loaded.graph, x)
    for name, value in ours.items():
        np.testing.assert_array_equal(theirs[name], value)
    first = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == first


def test_weights_take_a_quarter_of_the_bytes() -> None:
    floats, integers = float_graph().constants, integer_graph().constants
    weights = sum(array.nbytes for array in integers.values() if array.dtype == np.int8)
    assert weights * 4 == sum(array.nbytes for array in floats.values() if array.ndim > 1)


def changed(path: Path, change: Any) -> None:
    """Save the model with its description and header changed, and the digest right."""
    save(integer_model(), path)
    header, description, data = split(path.read_bytes())
    change(header, description)
    path.write_bytes(join(header, description, data))


def node(description: dict[str, Any], op: str) -> dict[str, Any]:
    found: dict[str, Any] = next(n for n in description["nodes"] if n["op"] == op)
    return found


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda h, d: node(d, "requantize")["attributes"].update(scale=0.0), "scale of requantize must be a positive"),
        (lambda h, d: node(d, "requantize")["attributes"].update(zero=256), "zero of requantize must be an integer"),
        (lambda h, d: node(d, "requantize")["attributes"].pop("scale"), "scale"),
        (lambda h, d: node(d, "requantize")["attributes"].update(scale=1e38), "too far apart"),
        (lambda h, d: node(d, "lookup").update(op="relu", inputs=["stem"], attributes={}), "gets uint8; put a dequan"),
        (lambda h, d: d.update(output="stem.sums"), "float32"),
        (lambda h, d: d.update(output="gelu"), "float32"),
        (lambda h, d: h["fc.weight"].update(dtype="U8"), "reads weight as int8, but it is uint8"),
        (lambda h, d: h["fc.bias"].update(dtype="F32"), "reads bias as int32, but it is float32"),
    ],
)
def test_what_cannot_be_is_refused(path: Path, change: Any, rule: str) -> None:
    changed(path, change)
    with pytest.raises(CnnfastError, match=rule):
        load_model(path)


def test_sums_that_do_not_fit_are_refused_when_written_and_when_read(path: Path) -> None:
    graph = integer_graph()
    fc = next(n for n in graph.nodes if isinstance(n.op, IntegerLinear))
    constants = dict(graph.constants) | {fc.inputs[2]: np.full(5, 2**31 - 1, np.int32)}
    with pytest.raises(CnnfastError, match=r"node 'fc.sums': sums of integer_linear could reach \d+ in channel"):
        save(Model(Graph(graph.inputs, graph.nodes, constants, graph.outputs)), path)
    assert not path.exists()


def test_a_weight_of_minus_128_is_refused(path: Path) -> None:
    save(integer_model(), path)
    header, description, data = split(path.read_bytes())
    begin = header["fc.weight"]["data_offsets"][0]
    path.write_bytes(join(header, description, data[:begin] + b"\x80" + data[begin + 1 :]))
    with pytest.raises(CnnfastError, match="-128"):
        load_model(path)


def test_an_integer_network_can_end_in_any_layer() -> None:
    net = Network.from_graph(integer_graph(), preprocess=integer_model().preprocess)
    x = np.random.default_rng(1).normal(size=(4, 3, 8, 8))
    values = evaluate(net.graph, x)
    for layer in ("gelu", "flat", "narrow.sums", "fc", "pool"):
        cut = net.truncate(layer).graph
        found = evaluate(cut, x)[cut.outputs[0]]
        assert cut.dtypes[cut.outputs[0]] == "float32"
        assert cut.shapes[cut.outputs[0]] == net.graph.shapes[layer]
        if values[layer].dtype == np.uint8:
            np.testing.assert_array_equal(found, grid_of(net.graph, layer).real(values[layer]))
        else:
            assert np.corrcoef(found.ravel(), values[layer].ravel())[0, 1] > 0.5
    assert feature_layer(net.graph) == "flat"
    assert net.with_head(["a", "b"], layers=[4]).output_shape == (2,)


def test_floats_do_not_read_integers(path: Path) -> None:
    weight = np.ones((2, 3), np.int8)
    model = Model(Graph({"x": (3,)}, (Node("y", ops.Linear(), ("x", "w")),), {"w": weight}, ("y",)))
    with pytest.raises(CnnfastError, match="reads the int8 constant 'w'"):
        save(model, path)
