"""Networks as ONNX files: every op and network as ONNX Runtime computes it, and read back bit-identical."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, Case
from integer_cases import INTEGER_CASES, IntegerCase
from small_integers import integer_model
from small_networks import small_net

from cnnfast import ConfigError, ModelFileError, Network, OutputError, Preprocess, list_models, ops, quantize
from cnnfast.architectures import ARCHITECTURES, build
from cnnfast.formats import Model, load_model, save
from cnnfast.graph import Graph, Node, constant
from cnnfast.layers import Conv2d, Flatten, GlobalAvgPool, Linear, Relu, Softmax
from cnnfast.ops import OPS
from cnnfast.ops.quantized import QUANTIZED_OPS, Dequantize

onnx = pytest.importorskip("onnx", reason="ONNX files are written with it; install onnx")
runtime = pytest.importorskip("onnxruntime", reason="the second opinion; install onnxruntime")

from cnnfast.formats.onnx.writing.metadata import KEY  # noqa: E402  (it needs onnx)
from cnnfast.formats.onnx.writing.model import OPSET, message_of  # noqa: E402
from cnnfast.formats.onnx.writing.rules import WRITE_RULES  # noqa: E402

OTHER_BITS = ("group_norm-", "avg_pool-ceil-counted", "lrn-even", "resize-scaled")
"""Beginnings of cases that are read back as other ops than those written, or with scales rounded to float32."""


HALVES = {"avg_pool-out", "avg_pool-up", "residual"}
"""Cases of integers with many means or sums that end in a half."""


def run(path: Path, values: np.ndarray) -> np.ndarray:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (entrance,) = session.get_inputs()
    (result,) = session.run(None, {entrance.name: values})
    return np.asarray(result)


def values_of(net: Network, images: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    if net.preprocess is None:
        return rng.standard_normal((images, *net.input_shape)).astype(np.float32)
    shape = (images, *net.preprocess.size, net.preprocess.channel_count)
    return net.preprocess(rng.integers(0, 256, shape, np.uint8)).reshape(images, *net.input_shape)


def bits(net: Network, values: np.ndarray) -> np.ndarray:
    return net.forward(values, layout="nchw", nan_policy="propagate", outliers="accept")


def of_one_input(case: Case | IntegerCase) -> tuple[Graph, dict[str, np.ndarray]]:
    """Return the graph of a case with a single row as its input, from which the values of all images are cut."""
    inner = case.graph()
    feed = case.feed(images=3)
    row = np.concatenate([array.reshape(3, -1) for array in feed.values()], axis=1)
    nodes, start = [], 0
    for name, shape in inner.inputs.items():
        count = int(np.prod(shape))
        nodes.append(Node(f"{name}.row", ops.Slice((start,), (count,)), ("row",)))
        nodes.append(Node(name, ops.Reshape(shape), (f"{name}.row",)))
        start += count
    graph = Graph({"row": (start,)}, (*nodes, *inner.nodes), dict(inner.constants), inner.outputs)
    return graph, {"row": row}


def test_every_op_has_a_rule() -> None:
    assert set(WRITE_RULES) == {*OPS.values(), *QUANTIZED_OPS.values()}


FEW = [pytest.param(case, marks=pytest.mark.slow) if "bench" in case.tags else case for case in CASES]


@pytest.mark.parametrize("case", FEW, ids=str)
def test_every_case_is_valid_agrees_and_comes_back(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    is_single = len(case.graph().inputs) == 1
    graph, feed = (case.graph(), case.feed(images=3)) if is_single else of_one_input(case)
    (values,) = feed.values()
    save(Model(graph), path)
    onnx.checker.check_model(str(path), full_check=True)
    net, back = Network.from_graph(graph), Network.load(path)
    found = run(path, values)
    expected = case.reference(images=3)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(expected).max())))
    assert back.output_shape == net.output_shape
    if case.id.startswith(OTHER_BITS):
        np.testing.assert_allclose(bits(back, values), bits(net, values), rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_array_equal(bits(back, values), bits(net, values))


@pytest.mark.parametrize("case", INTEGER_CASES, ids=str)
def test_integers_agree_within_one_step(case: IntegerCase, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    graph, feed = of_one_input(case)
    (values,) = feed.values()
    save(Model(graph), path)
    onnx.checker.check_model(str(path), full_check=True)
    found, expected = run(path, values), bits(Network.from_graph(graph), values)
    last = graph.nodes[-1].op
    step = last.scale if isinstance(last, Dequantize) else 0.02 * float(np.abs(expected).max())
    difference = np.abs(found - expected)
    assert difference.max() <= 1.01 * step
    # halves go elsewhere where a program adds or averages in its own way; all else is equal
    assert (difference > 0.01 * step).mean() < (0.2 if case.id in HALVES else 0.01)


def check_network(net: Network, path: Path) -> None:
    """Check the file, ONNX Runtime's scores, and that the same network comes back."""
    net.save(path)
    onnx.checker.check_model(str(path), full_check=True)
    values = values_of(net, images=2)
    back, scores = Network.load(path), bits(net, values)
    np.testing.assert_allclose(run(path, values), scores, rtol=1e-4, atol=1e-5 * max(1, float(np.abs(scores).max())))
    np.testing.assert_array_equal(bits(back, values), scores)
    assert (back.preprocess, back.class_names, back.license) == (net.preprocess, net.class_names, net.license)
    assert dict(back.notes) == dict(net.notes) or not net.notes
    assert back.input_shape == net.input_shape


@pytest.mark.parametrize("name", [name for name in list_models() if not name.endswith("-int8")])
def test_a_shipped_network_comes_back_with_all_that_it_knows(name: str, tmp_path: Path) -> None:
    check_network(Network.load(name), tmp_path / "net.onnx")


@pytest.mark.parametrize("name", [name for name in list_models() if name.endswith("-int8")])
def test_a_shipped_network_of_integers_comes_back_as_integers(name: str, tmp_path: Path) -> None:
    net, path = Network.load(name), tmp_path / "net.onnx"
    net.save(path)
    onnx.checker.check_model(str(path), full_check=True)
    values, back = values_of(net, images=8), Network.load(path)
    scores = bits(net, values)
    np.testing.assert_array_equal(bits(back, values), scores)
    assert any(node.op.is_quantized for node in back.graph.nodes)
    assert (back.preprocess, back.class_names, back.license) == (net.preprocess, net.class_names, net.license)
    found = run(path, values)
    np.testing.assert_array_equal(found.argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(found, scores, atol=0.05)


def test_means_that_are_flat_come_back_as_integers(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "net.onnx"
    layers = [Conv2d(rng.normal(size=(6, 3, 3, 3)), padding=1), Relu(), GlobalAvgPool(keep_dims=False)]
    net = Network.from_layers([*layers, Linear(rng.normal(size=(4, 6)))], (3, 8, 8), preprocess=Preprocess((8, 8)))
    pictures = rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    quantized = quantize(net, pictures).network
    quantized.save(path)
    back = Network.load(path)
    assert back.notes["integers"] == "2 of 2 layers compute with integers"
    np.testing.assert_array_equal(back.forward(pictures), quantized.forward(pictures))
    values = net.preprocess(pictures)
    np.testing.assert_allclose(run(path, values), quantized.forward(values, layout="nchw"), atol=0.05)


def test_a_network_with_every_op_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    model = integer_model()
    save(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    net = Network.from_graph(model.graph)
    values = np.random.default_rng(1).normal(size=(16, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run(path, values), bits(net, values), atol=0.05)


LARGE = {name for name, entry in ARCHITECTURES.items() if entry.input_shape[1] > 32}
LARGE |= {"resnet18-cifar", "resnet56-cifar", "resnet110-cifar", "mobilenetv2-cifar"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in ARCHITECTURES]
)
def test_every_architecture(name: str, tmp_path: Path) -> None:
    check_network(Network.from_graph(build(name, seed=0)), tmp_path / "net.onnx")


def test_the_number_of_images_stays_open_and_the_operator_set_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    small_net().save(path)
    message = onnx.load(path)
    assert [entry.version for entry in message.opset_import] == [OPSET] == [17]
    assert message.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    for count in (1, 7):
        assert len(run(path, values_of(small_net(), count))) == count


def test_the_same_network_gives_the_same_bytes_and_replaces_a_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.onnx", tmp_path / "b.ONNX"
    second.write_text("something else")
    small_net().save(first)
    small_net().save(second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.ONNX"]


def test_what_the_user_states_goes_before_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    net = small_net()
    net.save(path)
    again = Network.load(path, classes=[f"class {i}" for i in range(len(net.classes_))], preprocess="tf")
    assert again.classes_[0] == "class 0"
    assert again.preprocess != net.preprocess
    inner = net.graph.nodes[0].name
    assert Network.load(path, output=inner).class_names is None


def test_a_network_that_begins_with_a_transpose_keeps_its_axes(tmp_path: Path) -> None:
    graph = Graph({"x": (4, 5, 3)}, (Node("y", ops.Transpose((0, 3, 1, 2)), ("x",)),), {}, ("y",))
    save(Model(graph), tmp_path / "net.onnx")
    assert load_model(tmp_path / "net.onnx").graph.inputs == {"x": (4, 5, 3)}


def test_weights_of_float64_and_odd_names(tmp_path: Path) -> None:
    nodes = (Node("a b/ü", ops.Linear(), ("in put", "w")), Node("out", ops.Relu(), ("a b/ü",)))
    net = Network.from_graph(Graph({"in put": (3,)}, nodes, {"w": constant(np.eye(3) / 3)}, ("out",)))
    check_network(net, tmp_path / "net.onnx")


def test_nodes_that_read_constants_alone_are_computed_first(tmp_path: Path) -> None:
    nodes = (Node("half", ops.Relu(), ("number",)), Node("y", ops.Mul(), ("x", "half")))
    graph = Graph({"x": (3,)}, nodes, {"number": constant(np.array([0.5, -1, 2]))}, ("y",))
    check_network(Network.from_graph(graph), tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON|JSON"),
        ('{"version": 2}', "version 2"),
        ('{"version": 1, "classes": null}', "must be an object with the keys version, preprocess"),
        ('{"version": 1, "preprocess": {}, "classes": null, "license": null, "notes": {}}', "lacks the key 'size'"),
        ('{"version": 1, "preprocess": null, "classes": ["a"], "license": null, "notes": {}}', "labels"),
        ('{"version": 1, "preprocess": null, "classes": null, "license": 3, "notes": {}}', "license must be a text"),
    ],
)
def test_damaged_metadata_is_an_error_that_names_the_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    file: Any = message_of(small_net()._model)
    (entry,) = [entry for entry in file.metadata_props if entry.key == KEY]
    entry.value = text
    path.write_bytes(file.SerializeToString())
    with pytest.raises((ModelFileError, ConfigError), match=rf"net\.onnx.*({message})"):
        Network.load(path)


def test_a_missing_package_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    code = "import sys, cnnfast; sys.modules['onnx'] = None; cnnfast.Network.load('mnist-mlp').save('net.onnx')"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"ConfigError: writing ONNX files needs.*cnnfast\[onnx\]", run.stderr)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        small_net().save(tmp_path / "no" / "net.onnx")


def test_a_trained_network_of_layers(tmp_path: Path) -> None:
    net = Network.build(
        [Flatten(), Linear(8), Relu(), Linear(3), Softmax()],
        (1, 4, 4),
        classes=["cat", "dög", "x y"],
        preprocess=Preprocess((4, 4), channels="gray"),
        license="MIT",
    )
    check_network(net, tmp_path / "net.onnx")


def test_labels_that_a_file_cannot_hold_are_named_before_it_is_written(tmp_path: Path) -> None:
    net = Network.build([Flatten(), Linear(2)], (1, 4, 4), classes=["cat", "x\ty"])
    with pytest.raises(ModelFileError, match=r"a class is called 'x\\ty'"):
        net.save(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
