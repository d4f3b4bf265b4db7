"""Quantized files computed with their integers, against LiteRT's own kernels: within one step for each operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.litert.crafted import Operator, Tensor, model_bytes
from formats.shared_cifar10 import tiles_of

from cnnfast import Network
from cnnfast.errors import CnnfastError, ConfigError, UnsupportedError
from cnnfast.graph import Graph, evaluate
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")
runtime: Any = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

NAME = "mlperftiny_resnet8_cifar10_int8.tflite"


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "models" / NAME


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Array:
    return tiles_of(shared_data, "test_batch")[:200]


@pytest.fixture(scope="module")
def graph(file: Path) -> Graph:
    return Network.load(file, integers=True).graph


@pytest.fixture(scope="module")
def tensors(file: Path, images: Array) -> dict[str, Array]:
    """Return what LiteRT makes of the images, by the last part of the name of each tensor: bytes of ours."""
    return interpreted(file, images)


def interpreted(file: Path, images: Array, **options: Any) -> dict[str, Array]:
    interpreter = runtime.Interpreter(str(file), experimental_preserve_all_tensors=True, **options)
    source = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(source["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], (images.astype(int) - 128).astype(np.int8))
    interpreter.invoke()
    found = {}
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] == np.int8 and detail["shape"][0] == len(images):
            tensor = interpreter.get_tensor(detail["index"]).astype(int) + 128
            found[detail["name"].split(";")[-1]] = tensor.transpose(0, 3, 1, 2) if tensor.ndim == 4 else tensor
    return found


def alone(graph: Graph, name: str, known: dict[str, Array]) -> Array:
    """Return a value as it is made of what LiteRT has made of the images so far."""
    node = graph.by_name[name]
    inputs = []
    for value in node.inputs:
        if value in graph.constants:
            inputs.append(graph.constants[value])
        elif value in known:
            inputs.append(known[value].astype(np.uint8))
        else:
            inputs.append(alone(graph, value, known))
    return node.op.reference(*inputs)


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
def test_every_operator_is_within_one_step_of_the_interpreter(graph: Graph, tensors: dict[str, Array]) -> None:
    own = "input_1_int8"
    known = {name: value for name, value in tensors.items() if name in graph.shapes and name != own}
    known[f"{own}.bytes"] = tensors[own]
    compared = [name for name in known if name != f"{own}.bytes" and graph.dtypes[name] == "uint8"]
    assert len(compared) >= 14
    for name in compared:
        found = alone(graph, name, known)
        difference = np.abs(found.astype(int) - known[name])
        assert difference.max() <= 1, name
        # XNNPACK rounds before it adds the zero point; its sums and pools are equal
        most = 3e-5 if graph.by_name[name].op.name == "requantize" else 0.0
        assert (difference > 0).mean() <= most, name


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
def test_the_first_layers_are_equal_to_the_byte(graph: Graph, images: Array, tensors: dict[str, Array]) -> None:
    values = evaluate(graph, images[:50].transpose(0, 3, 1, 2).astype(np.float32))
    for name in ("model/conv2d/Conv2D1", "model/conv2d_1/Conv2D1", "model/conv2d_2/Conv2D", "model/add/add"):
        assert (values[name] != tensors[name][:50]).mean() < 1e-5


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
def test_labels_are_those_of_its_default_kernels(file: Path, shared_data: Path) -> None:
    """Over all 10,000 images 4 labels differ, where 204 of its reference kernels do."""
    images = tiles_of(shared_data, "test_batch")[:1000]
    theirs = interpreted(file, images)["Identity_int8"].argmax(axis=1)
    wrong = Network.load(file, integers=True).predict_proba(images).argmax(axis=1) != theirs
    assert wrong.sum() <= 2
    plain = runtime.OpResolverType.BUILTIN_REF
    others = interpreted(file, images, experimental_op_resolver_type=plain)["Identity_int8"].argmax(axis=1)
    assert wrong.sum() < (others != theirs).sum() / 4


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), 1), ((4, 3), 2), ((3, 3), 1)])
def test_average_pools_are_equal_to_the_byte(dtype: str, kernel: tuple[int, int], stride: int, tmp_path: Path) -> None:
    path, zero = tmp_path / "pool.tflite", 5 if dtype == "uint8" else -9
    path.write_bytes(pooled(dtype, zero, kernel, stride))
    x = np.random.default_rng(2).integers(0, 256, (1, 12, 11, 4))
    interpreter = runtime.Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    first = 128 if dtype == "int8" else 0
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], (x - first).astype(dtype))
    interpreter.invoke()
    (pool,) = (d["index"] for d in interpreter.get_tensor_details() if d["name"] == "pool")
    theirs = interpreter.get_tensor(pool).astype(int) + first
    graph = Network.load(path, integers=True).graph
    (node,) = (n for n in graph.nodes if n.op.name == "quantized_avg_pool")
    ours = evaluate(graph, (x.transpose(0, 3, 1, 2) - first - zero) * 0.5)[node.name]
    np.testing.assert_array_equal(ours.transpose(0, 2, 3, 1), theirs)


def pooled(dtype: str, zero: int, kernel: tuple[int, int], stride: int, low: int = -127) -> bytes:
    """Return a file with an average pool and a dense layer behind it, which reads its bytes."""
    height, width = -(-12 // stride), -(-11 // stride)
    count = height * width * 4
    weight = np.random.default_rng(1).integers(-127, 128, (2, count)).astype(np.int8)
    weight[0, 0] = low
    grid: dict[str, Any] = dict(scales=[0.5], zeros=[zero], dtype=dtype)
    flat = np.array([1, count], np.int32)
    signed: dict[str, Any] = dict(scales=[0.01], zeros=[0])
    weights = Tensor("w", weight.shape, weight, dtype="int8", **signed)
    if dtype == "uint8":
        # as old converters write them
        shifted = (weight.astype(int) + 128).astype(np.uint8)
        weights = Tensor("w", weight.shape, shifted, [0.01], [128], dtype="uint8")
    tensors = [
        Tensor("x", (1, 12, 11, 4), **grid),
        Tensor("pool", (1, height, width, 4), **grid),
        Tensor("shape", (2,), flat, dtype="int32"),
        Tensor("flat", (1, count), **grid),
        weights,
        Tensor("b", (2,), np.zeros(2, np.int32), [0.005], [0], dtype="int32"),
        Tensor("y", (1, 2), scales=[9.0], zeros=[zero], dtype=dtype),
    ]
    options = dict(Padding=0, StrideH=stride, StrideW=stride, FilterHeight=kernel[0], FilterWidth=kernel[1])
    operators = [
        Operator("AVERAGE_POOL_2D", [0], [1], "Pool2DOptions", options),
        Operator("RESHAPE", [1, 2], [3]),
        Operator("FULLY_CONNECTED", [3, 4, 5], [6], "FullyConnectedOptions"),
    ]
    return model_bytes(tensors, operators)


def test_everything_but_the_softmax_is_of_integers(graph: Graph) -> None:
    kinds = [node.op.name for node in graph.nodes]
    assert kinds.count("integer_conv2d") == 9
    assert kinds.count("quantized_add") == 3
    assert kinds[-2:] == ["dequantize", "softmax"]
    assert not {"conv2d", "linear", "add", "avg_pool"} & set(kinds)


def test_weights_are_the_integers_of_the_file(file: Path, graph: Graph) -> None:
    interpreter = runtime.Interpreter(str(file))
    own = [
        interpreter.get_tensor(d["index"])
        for d in interpreter.get_tensor_details()
        if d["dtype"] == np.int8 and len(d["shape"]) == 4 and d["shape"][0] > 1
    ]
    ours = [a for a in graph.constants.values() if a.dtype == np.int8 and a.ndim == 4]
    assert len(ours) == 9
    for array in ours:
        assert any(np.array_equal(array.transpose(0, 2, 3, 1), other) for other in own)


def test_saved_and_loaded_it_takes_a_quarter(file: Path, tmp_path: Path, images: Array) -> None:
    whole, small = tmp_path / "floats.safetensors", tmp_path / "integers.safetensors"
    Network.load(file, integers=False).save(whole)
    Network.load(file).save(small)
    assert small.stat().st_size < whole.stat().st_size / 3
    x = images[:5].transpose(0, 3, 1, 2).astype(np.float32)
    one, two = Network.load(small).graph, Network.load(file, integers=True).graph
    np.testing.assert_array_equal(evaluate(one, x)[one.outputs[0]], evaluate(two, x)[two.outputs[0]])


def test_a_file_of_floats_has_no_integers(shared_data: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"no layer computes with integers: .*load it without integers=True"):
        Network.load(shared_data / "models" / "mlperftiny_resnet8_cifar10_float.tflite", integers=True)


def test_integers_are_the_default_and_the_network_says_so(file: Path, images: Array) -> None:
    net, asked, floats = (Network.load(file, **o) for o in ({}, {"integers": True}, {"integers": False}))
    assert net.graph.nodes == asked.graph.nodes
    assert net.notes["integers"] == (
        "10 of 10 layers compute with integers; in float: Identity_int8: there is no softmax of bytes"
    )
    assert not floats.graph.is_quantized
    assert "integers" not in floats.notes
    assert (net.predict(images) == floats.predict(images)).mean() > 0.9


@pytest.mark.parametrize("low", [-128, -127])
def test_weights_that_do_not_fit_are_computed_in_float_and_the_network_says_so(low: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(pooled("int8", -9, (2, 2), 1, low))
    net = Network.load(path)
    assert net.graph.is_quantized == (low == -127)
    if low == -128:
        assert net.notes["integers"].startswith("the file has integers, but runs in float: ")
        assert "weight of 128 steps" in net.notes["integers"]
        with pytest.raises(UnsupportedError, match="no layer computes with integers"):
            Network.load(path, integers=True)


def test_the_option_is_true_or_false(file: Path) -> None:
    with pytest.raises(ConfigError, match="integers must be True or False"):
        Network.load(file, integers="yes")


def test_the_first_byte_is_the_smallest_integer(graph: Graph) -> None:
    first = graph.nodes[0].op
    assert (first.attributes()["scale"], first.attributes()["zero"]) == (1.0, 0)
    assert Grid(1.0, 0).limits == (0.0, 255.0)


def test_other_formats_do_not_take_it(tmp_path: Path) -> None:
    Network.load("mnist-mlp").save(tmp_path / "net.safetensors")
    with pytest.raises(CnnfastError, match="integers"):
        Network.load(tmp_path / "net.safetensors", integers=True)
