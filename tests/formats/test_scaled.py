"""Weights that a file holds in eight bits: how near they come, which they are, and what no file may say of them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from formats.crafted import join, split

from cnnfast import Network
from cnnfast.errors import CnnfastError, ModelFileError
from cnnfast.formats import Model, load_model, save, scaled
from cnnfast.formats.narrow import FEW, NOTE
from cnnfast.graph import Graph, Node
from cnnfast.ops import Add, Array, Conv2d, Flatten, Linear

rng = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def model(dtype: Any = np.float32, **weights: Array) -> Model:
    """Return a convolution, a sum with a constant, and two dense layers, the last with few weights."""
    shapes = {"conv": (32, 16, 3, 3), "plane": (32, 16, 16), "fc1": (16, 32 * 256), "fc2": (4, 16)}
    constants = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} | weights
    nodes = (
        Node("a", Conv2d(padding=1), ("x", "conv")),
        Node("b", Add(), ("a", "plane")),
        Node("c", Flatten(), ("b",)),
        Node("d", Linear(), ("c", "fc1")),
        Node("y", Linear(), ("d", "fc2")),
    )
    return Model(Graph({"x": (16, 16, 16)}, nodes, constants, ("y",)))


def dense(weight: object, **options: Any) -> Model:
    array = np.asarray(weight, np.float32)
    return Model(Graph({"x": (array.shape[1],)}, (Node("y", Linear(), ("x", "w")),), {"w": array}, ("y",)), **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_large_weights_of_layers_become_integers(path: Path, dtype: Any) -> None:
    exact = model(dtype)
    save(exact, path, dtype="int8")
    theirs = safetensors.numpy.load_file(path)
    dtypes = {"plane": np.dtype(dtype).name, "fc2": np.dtype(dtype).name, "conv": "int8", "fc1": "int8"}
    dtypes |= {"conv.scale": "float32", "fc1.scale": "float32"}
    assert {name: array.dtype.name for name, array in theirs.items()} == dtypes
    loaded = load_model(path)
    assert loaded.graph.constants.keys() == exact.graph.constants.keys()
    for name, weight in exact.graph.constants.items():
        ours = loaded.graph.constants[name]
        assert not ours.flags.writeable
        if name in ("conv", "fc1"):
            # what any other program computes
            np.testing.assert_array_equal(ours, theirs[name].astype(np.float32) * theirs[f"{name}.scale"], strict=True)
            largest = np.abs(weight).reshape(len(weight), -1).max(axis=1).reshape(theirs[f"{name}.scale"].shape)
            assert (np.abs(ours - weight) <= 0.75 / 127 * largest).all()
        else:
            np.testing.assert_array_equal(ours, weight, strict=True)


def test_no_other_scale_is_nearer() -> None:
    for weight in rng.standard_normal((8, 500)) * 10.0 ** rng.integers(-30, 30, (8, 1)):
        integers, scale = scaled.split(weight[None])
        assert np.abs(integers).max() == 127
        best = np.linalg.lstsq(integers.T.astype(float), weight, rcond=None)[0][0]
        assert scale[0, 0] == pytest.approx(best, rel=1e-7)
        plain = np.abs(weight).max() / 127
        rounded = np.rint(weight / plain)
        np.testing.assert_array_equal(integers[0], rounded)
        assert np.linalg.norm(integers * scale - weight) <= np.linalg.norm(rounded * plain - weight)


@pytest.mark.parametrize("shape", [(50, 1, 3, 3), (4096, 1), (1, 5000), (37, 211)])
def test_what_is_stored_so_already_keeps_its_bytes_and_its_note(path: Path, shape: tuple[int, ...]) -> None:
    for magnitude in (1e-42, 1e-12, 1.0, 1e30):
        weight = (rng.standard_normal(shape) * magnitude).astype(np.float32)
        weight[0] = 0
        once = scaled.joined(*scaled.split(weight))
        np.testing.assert_array_equal(scaled.joined(*scaled.split(once)), once)
    save(model(), path, dtype="int8")
    first = path.read_bytes()
    graph, notes = load_model(path).graph, load_model(path).notes
    shuffled = Graph(graph.inputs, graph.nodes, dict(reversed(graph.constants.items())), graph.outputs)
    save(Model(shuffled, notes=notes), path, dtype="int8")
    assert path.read_bytes() == first


def test_the_note_states_the_largest_change_and_keeps_an_earlier_one(path: Path) -> None:
    weight = np.full((2, FEW), 127.0)
    weight[0, 1] = 1.25
    save(dense(weight), path, dtype="int8")
    text = f"1 tensor to int8, by at most {0.25 / 127:.2g} of the largest value of a tensor (w)"
    assert load_model(path).notes[NOTE] == text
    save(dense(weight, notes={NOTE: "before"}), path, dtype="int8")
    assert load_model(path).notes[NOTE] == f"before; then {text}"


def test_in_full_again_it_is_a_file_of_the_first_version(path: Path) -> None:
    save(model(), path, dtype="int8")
    assert split(path.read_bytes())[1]["version"] == 2
    once = load_model(path)
    save(once, path)
    header, description, _ = split(path.read_bytes())
    assert description["version"] == 1
    assert "scales" not in description
    assert header["conv"]["dtype"] == "F32"
    for name, array in once.graph.constants.items():
        np.testing.assert_array_equal(load_model(path).graph.constants[name], array, strict=True)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_weight_that_is_not_finite_is_named_and_nothing_is_written(path: Path, value: float) -> None:
    weight = rng.standard_normal((2, FEW)).astype(np.float32)
    weight[1, 5] = value
    with pytest.raises(ModelFileError, match=re.escape(f"the tensor 'w' holds {value:g}, which int8 cannot")):
        save(dense(weight), path, dtype="int8")
    assert not list(path.parent.iterdir())


def test_a_weight_beyond_float32_is_named(path: Path) -> None:
    weight = rng.standard_normal((32, 16, 3, 3))
    weight[3, 1, 0, 2] = -1e39
    with pytest.raises(ModelFileError, match=re.escape("the tensor 'conv' holds -1e+39, which int8 cannot")):
        save(model(np.float64, conv=weight), path, dtype="int8")
    save(model(np.float32, conv=weight.clip(-3e38, 3e38).astype(np.float32)), path, dtype="int8")
    assert load_model(path).graph.constants["conv"][3, 1, 0, 2] == pytest.approx(-3e38, rel=1e-5)


def test_names_of_scales_are_free_and_short_enough(path: Path) -> None:
    long = "w" * 512
    weight = rng.standard_normal((FEW, 4)).astype(np.float32)
    nodes = (Node("a", Linear(), ("x", long, "w.scale")), Node("y", Linear(), ("a", "w")))
    constants = {long: weight, "w": weight.T, "w.scale": np.ones(FEW, np.float32)}
    save(Model(Graph({"x": (4,)}, nodes, constants, ("y",))), path, dtype="int8")
    assert split(path.read_bytes())[1]["scales"]["w"] == "w.scale_2"
    assert load_model(path).graph.constants.keys() == constants.keys()


def test_a_weight_that_another_op_reads_too_stays(path: Path) -> None:
    wide, plane = rng.standard_normal((64, 4096)).astype(np.float32), rng.standard_normal((64, 64)).astype(np.float32)
    last = Node("y", Linear(), ("c", "plane"))
    nodes = (Node("b", Flatten(), ("a",)), Node("c", Linear(), ("b", "wide")), last)
    for first, dtype in ((Node("a", Add(), ("x", "plane")), "F32"), (Node("a", Add(), ("x", "x")), "I8")):
        save(Model(Graph({"x": (64, 64)}, (first, *nodes), {"wide": wide, "plane": plane}, ("y",))), path, dtype="int8")
        header = split(path.read_bytes())[0]
        assert (header["wide"]["dtype"], header["plane"]["dtype"]) == ("I8", dtype)


@pytest.mark.parametrize(
    ("scales", "rule"),
    [
        ([], "scales must be an object"),
        ({"conv": 3}, "printable"),
        ({"conv": "gone"}, "no tensor 'gone'"),
        ({"gone": "conv.scale"}, "no tensor 'gone'"),
        ({"fc2": "conv.scale"}, "'fc2' is float32, but integers with a scale are int8"),
        ({"conv": "fc1"}, "'fc1' is int8, but .* scales float32"),
        ({"conv": "fc1.scale"}, "as many axes as 'conv'"),
        ({"conv": "plane"}, "as many axes as 'conv'"),
        ({"conv": "conv.scale"}, r"node 'd' \(linear\) reads the int8 constant 'fc1'"),
    ],
)
def test_scales_that_cannot_be(path: Path, scales: object, rule: str) -> None:
    save(model(), path, dtype="int8")
    header, description, data = split(path.read_bytes())
    path.write_bytes(join(header, description | {"scales": scales}, data))
    with pytest.raises(CnnfastError, match=rule) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_scale_must_be_a_number_that_is_not_negative(path: Path, value: float) -> None:
    save(model(), path, dtype="int8")
    header, description, data = split(path.read_bytes())
    begin = header["conv.scale"]["data_offsets"][0]
    data = data[:begin] + np.float32(value).tobytes() + data[begin + 4 :]
    path.write_bytes(join(header, description, data))
    with pytest.raises(ModelFileError, match=r"'conv\.scale' of 'conv' must be finite and not negative"):
        load_model(path)


def test_integers_without_a_scale_are_no_floats(path: Path) -> None:
    save(model(), path, dtype="int8")
    header, description, data = split(path.read_bytes())
    del description["scales"]
    path.write_bytes(join(header, description | {"version": 1}, data))
    with pytest.raises(CnnfastError, match="int8"):
        load_model(path)


def test_the_file_takes_about_a_quarter_of_the_bytes_and_its_labels_stay(path: Path) -> None:
    net = Network.load("cifar10-lenet")
    net.save(path, dtype="int8")
    full = sum(array.nbytes for array in net.graph.constants.values())
    assert path.stat().st_size < 0.35 * full
    pixels = rng.integers(0, 256, (64, 32, 32, 3), np.uint8)
    ours, exact = Network.load(path).predict_proba(pixels), net.predict_proba(pixels)
    np.testing.assert_allclose(ours, exact, atol=0.02)
    assert not np.array_equal(ours, exact)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    assert header["fc1.weight"]["dtype"] == "I8"
