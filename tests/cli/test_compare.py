"""``compare`` and what ``convert`` is told about files that do not say everything themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from formats.weights.small import safetensors

from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.formats.weights.expected import wanted
from cnnfast.layers import Flatten, Linear


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of a network for three colors, as others would store them."""
    graph = build("lenet", classes=3, seed=1)
    tensors = {f"module.{want.name}": graph.constants[want.constant] for want in wanted(graph)}
    path = tmp_path / "lenet.safetensors"
    path.write_bytes(safetensors({name: np.ascontiguousarray(array) for name, array in tensors.items()}))
    return path


def test_convert_with_all_that_the_file_does_not_say(run, weights, tmp_path):
    target, names = tmp_path / "own.safetensors", tmp_path / "names.txt"
    names.write_text("rot\ngrün\n\nblau\n", "utf-8")
    words = ("--architecture", "lenet", "--labels", names, "--mean", "0.5,0.4,0.3", "--std", "0.25", "--resize", "crop")
    assert run("convert", weights, target, *words).status == 0
    net = Network.load(target)
    assert net.classes_.tolist() == ["rot", "grün", "blau"]
    assert (net.preprocess.mean, net.preprocess.std, net.preprocess.resize) == ((0.5, 0.4, 0.3), (0.25,) * 3, "crop")
    assert net.preprocess.size == (32, 32)
    assert run("convert", target, tmp_path / "b.safetensors", "--labels", "a,b,c", "--mean", "0").status == 0
    other = Network.load(tmp_path / "b.safetensors")
    assert (other.classes_.tolist(), other.preprocess.resize) == (["a", "b", "c"], "crop")


@pytest.mark.filterwarnings("default:tensors that are not part")
def test_convert_of_a_part_of_a_file(run, tmp_path):
    graph, path, target = build("lenet", classes=3, seed=1), tmp_path / "run.safetensors", tmp_path / "own.safetensors"
    tensors = {want.name: np.ascontiguousarray(graph.constants[want.constant]) for want in wanted(graph)}
    both = {f"student.{n}": a for n, a in tensors.items()} | {f"teacher.{n}": 2 * a for n, a in tensors.items()}
    path.write_bytes(safetensors(both | {"student.mean": np.zeros(3, np.float32)}))
    words = ("--architecture", "lenet", "--key", "student")
    assert "leave it out with ignore_unexpected" in run("convert", path, target, *words).err
    result = run("convert", path, target, *words, "--ignore-unexpected")
    assert result.status == 0
    assert result.err == "cnnfast: warning: tensors that are not part of the network are left out: mean\n"
    np.testing.assert_array_equal(Network.load(target).graph.constants["fc3.weight"], tensors["fc3.weight"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no network; say which one they belong to"),
        (("--architecture", "lenet", "--labels", "a,b"), "labels"),
        (("--architecture", "lenet", "--rename", "conv1"), "--rename must be order"),
        (("--architecture", "lenet", "--rename", "a=b"), "rename has 'a'"),
        (("--architecture", "lenet", "--std", "0"), "std"),
        (("--architecture", "lenet", "--input-shape", "3,x,32"), "must be numbers"),
    ],
)
def test_what_convert_refuses(words, said, run, weights, tmp_path):
    result = run("convert", weights, tmp_path / "own.safetensors", *words)
    assert result.status == 2
    assert said in result.err
    assert not (tmp_path / "own.safetensors").exists()


def test_compare_a_file_with_what_it_was_converted_to(run, weights, tmp_path):
    target = tmp_path / "own.safetensors"
    words = ("--architecture", "lenet", "--mean", "0.5")
    assert run("convert", weights, target, *words).status == 0
    result = run("compare", target, weights, *words)
    assert result.status == 0
    assert "top-1: 16 of 16 agree" in result.out
    assert "no layer differs" in result.out
    assert run("compare", target, weights).status == 2
    assert "has no meaning for" in run("compare", target, target, "--architecture", "lenet").err


def test_compare_names_the_layer_and_the_status_says_so(run, weights, tmp_path):
    net = Network.load(weights, architecture="lenet")
    constants = dict(net.graph.constants)
    constants["conv2.bias"] = constants["conv2.bias"] + np.float32(0.01)
    graph = type(net.graph)(net.graph.inputs, net.graph.nodes, constants, net.graph.outputs)
    Network.from_graph(net.graph).save(tmp_path / "a.safetensors")
    Network.from_graph(graph).save(tmp_path / "b.safetensors")
    result = run("compare", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--images", 3)
    assert result.status == 1
    assert "first layer that differs: conv2 (conv2d, 16x10x10) by" in result.out
    told = json.loads(run("compare", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json").out)
    assert (told["alike"], told["first"]["left"], told["images"]) == (False, "conv2", 16)
    assert run("compare", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--bound", "0.5").status == 0


def test_compare_on_pictures(run, model, album):
    result = run("compare", model, model, "--data", album)
    assert result.status == 0
    assert "11 images" in result.out
    assert "2.png" in result.err
    again = run("compare", "--data", album / "a", "--data", album / "b", model, "--bound", "1e-3", model)
    assert (again.status, again.out) == (0, result.out.replace("0.0001", "0.001"))


@pytest.mark.parametrize("command", ["classify", "find", "compare"])
def test_a_network_that_does_not_say_what_a_byte_means(command, run, model, album, tmp_path):
    bare, said = tmp_path / "bare.safetensors", Network.load(model)
    Network.from_graph(said.graph, classes=list(said.classes_)).save(bare)
    words = {
        "classify": (album, "--model", bare),
        "find": ("red", album, "--model", bare),
        "compare": (bare, model, "--data", album),
    }[command]
    if command != "compare":  # the other network says it there
        refused = run(command, *words)
        assert refused.status == 2
        assert f"{bare}: does not say how a picture becomes its input" in refused.err
        assert "--preprocess raw, 1/255 or tf" in refused.err
    answered = run(command, *words, "--preprocess", "1/255")
    assert answered.status in (0, 1), answered.err
    assert answered.out


def test_convert_writes_what_a_byte_means(run, model, tmp_path):
    bare, target = tmp_path / "bare.safetensors", tmp_path / "own.safetensors"
    Network.from_graph(Network.load(model).graph).save(bare)
    assert run("convert", bare, target, "--preprocess", "tf", "--resize", "crop").status == 0
    rule = Network.load(target).preprocess
    assert (rule.scale, rule.mean, rule.resize) == (1 / 127.5, (1.0,) * 3, "crop")


def test_compare_needs_two(run, model, tmp_path):
    assert "name a second network B" in run("compare", model).err
    Network.from_graph(build("lenet", seed=0)).save(tmp_path / "bare.safetensors")
    bare = tmp_path / "bare.safetensors"
    assert "how a picture becomes its input" in run("compare", bare, bare, "--data", model.parent).err


ON_ITS_OWN_FILE = {
    "onnxruntime": ("mnist_cntk.onnx", ("onnx", "onnxruntime")),
    "litert": ("mlperftiny_resnet8_cifar10_float.tflite", ("tflite", "ai_edge_litert")),
    "keras": ("mlperftiny_resnet8_cifar10.h5", ("keras",)),
}
"""A file of shared/data/models for each engine, and the packages that it takes."""


@pytest.mark.parametrize("engine", ON_ITS_OWN_FILE)
def test_an_engine_on_its_own_file(engine, run, shared_data):
    name, packages = ON_ITS_OWN_FILE[engine]
    for package in packages:
        pytest.importorskip(package, reason=f"the engine {engine} is not installed")
    result = run("compare", shared_data / "models" / name, "--engine", engine)
    assert result.status == 0, result.out + result.err
    assert "16 of 16 agree" in result.out


def test_litert_of_8_bits_is_compared_layer_by_layer(run, shared_data):
    for package in ("tflite", "ai_edge_litert"):
        pytest.importorskip(package, reason="the engine litert is not installed")
    file = shared_data / "models" / "mlperftiny_resnet8_cifar10_int8.tflite"
    result = run("compare", file, "--engine", "litert", "--json")
    found = json.loads(result.out)
    assert result.status == 0, result.out
    assert found["bound"] == 0.2
    assert "rounds the result of each operator to 8 bits" in found["note"]
    assert len(found["layers"]) == 16, "one for each operator of the file"
    assert 1e-4 < max(layer["size"] for layer in found["layers"][:8]) < 0.03
    assert found["layers"][-1]["size"] <= 2 / 256, "its default kernels round as we do"
    floats = json.loads(run("compare", file, "--engine", "litert", "--no-integers", "--json").out)
    assert floats["layers"][-1]["size"] > found["layers"][-1]["size"]
    assert run("compare", file, "--engine", "litert", "--no-integers", "--bound", "1e-4").status == 1


def test_a_quantized_file_is_used_as_a_first_user_would_type_it(run, shared_data, tmp_path):
    for package in ("tflite", "PIL"):
        pytest.importorskip(package)
    file = shared_data / "models" / "mlperftiny_resnet8_cifar10_int8.tflite"
    cats = shared_data / "catsdogs" / "test_set" / "cats"
    names = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"
    small, whole = tmp_path / "int8.safetensors", tmp_path / "floats.safetensors"
    assert run("convert", file, small, "--labels", names).status == 0
    assert run("convert", file, whole, "--labels", names, "--no-integers").status == 0
    assert small.stat().st_size < whole.stat().st_size / 3
    assert "10 of 10 layers compute with integers" in run("summary", file).out
    assert "integer_conv2d" not in run("summary", file, "--no-integers").out
    pictures = sorted(cats.iterdir())[:40]
    found = [run("classify", *pictures, "--model", m, *o) for m, o in ((small, ()), (file, ("--integers",)))]
    assert [result.status for result in found] == [0, 0]
    assert len({result.out.count("\n") for result in found}) == 1
    assert "cat" in run("find", "cat", *pictures, "--model", small).err
    result = run("classify", *pictures, "--model", "mnist-mlp", "--integers")
    assert result.status == 2
    assert "takes no option 'integers'" in result.err


def test_a_file_that_litert_does_not_run_is_said_to_be_one(run, tmp_path):
    for package in ("tflite", "ai_edge_litert"):
        pytest.importorskip(package, reason="the engine litert is not installed")
    from formats.litert.crafted import Operator, Tensor, model_bytes

    weight = np.ones((1, 1, 1, 3), np.float32)
    tensors = [Tensor("x", (1, 4, 4, 3)), Tensor("w", weight.shape, weight), Tensor("y", (1, 4, 4, 1))]
    window = {"StrideH": 1, "StrideW": 1}
    file = tmp_path / "net.tflite"
    file.write_bytes(model_bytes(tensors, [Operator("CONV_2D", [0, 1], [2], "Conv2DOptions", window)]))
    result = run("compare", file, "--engine", "litert")
    assert result.status == 2
    assert f"{file}: LiteRT does not run this file, so there is nothing to compare: " in result.err
    file.write_bytes(b"\x10\0\0\0TFL3" + bytes(40))
    result = run("compare", "mnist-mlp", file, "--engine", "litert")
    assert result.status == 2
    assert f"{file}: it is of version 0 of the schema" in result.err


@pytest.mark.parametrize("way", ["jit", "export"])
@pytest.mark.filterwarnings("ignore")
def test_the_engine_torch_on_a_program(way, run, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    graph, layers = Network.load("mnist-mlp").graph, [torch.nn.Flatten()]
    for node in (node for node in graph.nodes if node.op.name == "linear"):
        weight, bias = (torch.tensor(np.array(graph.constants[name], np.float32)) for name in node.inputs[1:])
        layers += [torch.nn.Linear(*weight.shape[::-1]), torch.nn.Sigmoid()]
        layers[-2].load_state_dict({"weight": weight, "bias": bias})
    module, example = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(1)).eval(), torch.zeros(2, 1, 28, 28)
    path = tmp_path / "program.pt"
    if way == "jit":
        torch.jit.trace(module, example).save(str(path))
    else:
        images = torch.export.Dim("images", min=1, max=4096)
        torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: images},)), str(path))
    result = run("compare", "mnist-mlp", path, "--engine", "torch")
    assert result.status == 0, result.out + result.err
    assert "16 of 16 agree" in result.out


def test_an_engine_that_is_not_there(run, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("compare", model, "--engine", "onnxruntime")
    assert result.status == 2
    assert 'install it: pip install "onnx' in result.err


def test_compare_sets_no_real_numbers_against_integers(run, tmp_path):
    """Of quantized nodes onnxruntime gives integers: they are compared as what they stand for, or left out by name."""
    pytest.importorskip("onnxruntime", reason="the engine to compare with; install onnxruntime")
    from formats.onnx_small import model, node

    weights = {"s": np.array(0.5, np.float32), "z": np.array(100, np.uint8), "w": np.eye(4, dtype=np.int8)}
    weights |= {"ws": np.array(0.1, np.float32), "wz": np.array(0, np.int8)}
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("MaxPool", "q", "m", kernel_shape=[3, 3]),
        node("DequantizeLinear", "m s z", "d"),
        node("DynamicQuantizeLinear", "d", "b bs bz"),
        node("MatMulInteger", "b w bz wz", "i"),
        node("Cast", "i", "f", to=1),
        node("Mul", "bs ws", "scale"),
        node("Mul", "f scale"),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, ("N", 3, 6, 6), weights).SerializeToString())
    result = run("compare", path, "--engine", "onnxruntime", "--json")
    found = json.loads(result.out)
    # within a step of the integers, which is left out here
    assert all(layer["size"] < 0.2 for layer in found["layers"])
    assert {layer["left"] for layer in found["layers"]} >= {"q", "m", "y"}
    assert set(found["left_out"]) == {"i", "f"}
    said = run("compare", path, "--engine", "onnxruntime").out
    assert "left out, integers of unknown meaning on one side: i, f" in said
    proto = model([*nodes[:2], node("Identity", "m")], ("N", 3, 6, 6), weights)
    proto.graph.output[0].type.tensor_type.elem_type = 2
    path.write_bytes(proto.SerializeToString())
    assert json.loads(run("compare", path, "--engine", "onnxruntime", "--json").out)["layers"][-1]["size"] < 0.2


@pytest.mark.parametrize("shape", [(784,), (784, 1), (28, 28), (28, 28, 1)], ids=str)
def test_compare_networks_that_take_gray_pictures_in_another_shape(shape, run, tmp_path):
    weight = np.random.default_rng(0).standard_normal((4, 784))
    for name, rule in (("a", Preprocess((28, 28), channels="gray")), ("bare", None)):
        layers = [Flatten(name="flat"), Linear(weight, name="scores")]
        Network.from_layers(layers, shape, preprocess=rule).save(tmp_path / f"{name}.safetensors")
    layers = [Flatten(name="flat"), Linear(weight, name="scores")]
    plain = Network.from_layers(layers, (1, 28, 28), preprocess=Preprocess((28, 28), channels="gray"))
    plain.save(tmp_path / "b.safetensors")
    for left, right in (("a", "b"), ("b", "a"), ("a", "a"), ("bare", "bare"), ("a", "bare"), ("bare", "a")):
        result = run("compare", tmp_path / f"{left}.safetensors", tmp_path / f"{right}.safetensors")
        assert result.status == 0, result.err
        assert "top-1: 16 of 16 agree" in result.out


@pytest.mark.parametrize("elements", ["FLOAT", "UINT8", "DOUBLE"])
def test_an_engine_ends_where_the_network_does_and_gets_what_it_takes(elements, run, tmp_path):
    pytest.importorskip("onnxruntime", reason="the engine to compare with; install onnxruntime")
    from formats.onnx_small import model, node
    from onnx import TensorProto, helper

    nodes = [
        node("Cast", "x", "f", to=TensorProto.FLOAT),
        *(node("Transpose", "f", "t", perm=[0, 3, 1, 2]), node("Conv", "t w", "a"), node("Flatten", "a", "scores")),
        node("Softmax", "scores", "y", axis=1),
    ]
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32)}
    proto = model(nodes, ("N", 6, 8, 3), weights, kind=getattr(TensorProto, elements))
    proto.graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, None))
    proto.graph.input.append(helper.make_tensor_value_info("unread", TensorProto.FLOAT, ["N", 2]))
    (path := tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    result = run("compare", path, "--engine", "onnxruntime", "--output", "scores", "--json")
    assert result.status == 0, result.err
    assert json.loads(result.out)["alike"] is True
    assert "--output scores" in run("compare", path, "--engine", "onnxruntime").err


def test_convert_is_told_the_layout_and_the_output(run, tmp_path):
    pytest.importorskip("onnx", reason="the format of the file; install cnnfast[onnx]")
    from formats.onnx_small import model, node

    nodes = [node("Relu", "x", "r"), node("Flatten", "r", "y")]
    (path := tmp_path / "net.onnx").write_bytes(model(nodes, ("N", 6, 8, 3)).SerializeToString())
    target = tmp_path / "own.safetensors"
    assert run("convert", path, target, "--input-layout", "nhwc", "--output", "r").status == 0
    assert Network.load(target).input_shape == (3, 6, 8)
    assert Network.load(target).output_shape == (6, 8, 3)
    refused = run("convert", path, target, "--force", "--output", "z")
    assert refused.status == 2
    assert "no value is called 'z'" in refused.err


def test_json_has_no_word_that_is_not_json(run, tmp_path):
    for name, bias in (("a", 0.0), ("b", 3e38)):
        layers = [Linear(np.full((3, 4), 3e38), np.full(3, bias)), Linear(np.full((2, 3), 3e38))]
        Network.from_layers(layers, (4,)).save(tmp_path / f"{name}.safetensors")
    result = run("compare", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json")
    assert "layers" in json.loads(result.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("engine", "package", "named"),
    [
        ("onnxruntime", "onnxruntime", "onnxruntime"),
        ("litert", "ai_edge_litert", "flatbuffer"),
        ("torch", "torch", "PyTorch"),
        ("keras", "keras", "Keras"),
    ],
)
def test_an_engine_that_cannot_open_a_file_is_told_in_one_line(run, model, monkeypatch, engine, package, named):
    pytest.importorskip(package, reason=f"needs the package {package}")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    result = run("compare", model, "--engine", engine)
    assert result.status == 2
    assert f"cnnfast: error: {model}: " in result.err
    assert "Traceback" not in result.err
    assert named.lower() in result.err.lower()
