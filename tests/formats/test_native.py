"""The model file of cnnfast: what comes back, and what no damage may do."""

import contextlib
import json
import os
import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.crafted import changed, join, put, saved, sealed, small_model, split, with_header
from hypothesis import given, settings
from random_graphs import graphs, random_inputs
from systems import NAME_TOO_LONG, posix

from cnnfast import Network
from cnnfast.errors import CnnfastError, ConfigError, ModelFileError, OutputError
from cnnfast.formats import FORMATS, Model, load_model, native, save, tensors
from cnnfast.formats.tensors import MAX_CONTAINERS, MAX_HEADER
from cnnfast.graph import Graph, Node, evaluate
from cnnfast.ops import Clip, Flatten, Linear, Relu
from cnnfast.ops.fused import Fused

MEMORY = 100 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def assert_same(a: Model, b: Model) -> None:
    assert (a.preprocess, a.classes, a.license, a.notes) == (b.preprocess, b.classes, b.license, b.notes)
    assert (a.graph.inputs, a.graph.nodes, a.graph.outputs) == (b.graph.inputs, b.graph.nodes, b.graph.outputs)
    assert a.graph.constants.keys() == b.graph.constants.keys()
    for name, array in a.graph.constants.items():
        np.testing.assert_array_equal(b.graph.constants[name], array, strict=True)


def refuse(path: Path, raw: bytes, rule: str = ".") -> None:
    path.write_bytes(raw)
    with pytest.raises(CnnfastError, match=rule) as caught:
        native.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(CnnfastError):
        load_model(path)


def test_round_trip(path: Path) -> None:
    save(small_model(), path)
    assert_same(small_model(), load_model(path))


def test_what_is_optional_may_be_left_out(path: Path) -> None:
    bare = Model(small_model().graph)
    save(bare, path)
    assert_same(bare, load_model(path))


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_round_trip_of_random_graphs(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("native") / "net.safetensors"
    graph = graph.cut(graph.outputs[-1:])
    save(Model(graph), path)
    loaded = load_model(path)
    assert_same(Model(graph), loaded)
    images = random_inputs(graph, np.random.default_rng(0))
    ours, theirs = evaluate(graph, images), evaluate(loaded.graph, images)
    for name, value in ours.items():
        np.testing.assert_array_equal(theirs[name], value)


def test_same_model_same_bytes(path: Path) -> None:
    model = small_model()
    shuffled = Graph(
        model.graph.inputs, model.graph.nodes, dict(reversed(model.graph.constants.items())), model.graph.outputs
    )
    other = Model(shuffled, model.preprocess, model.classes, model.license, dict(reversed(model.notes.items())))
    first = saved(path)
    save(other, path)
    assert path.read_bytes() == first
    save(load_model(path), path)
    assert path.read_bytes() == first


@posix
def test_large_files_are_mapped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path)
    monkeypatch.setattr(tensors, "MAP_ABOVE", 0)
    loaded = load_model(path)
    assert_same(small_model(), loaded)
    assert isinstance(loaded.graph.constants["m"], np.memmap)


def test_a_failed_save_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved(path)

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"net\.safetensors: cannot be written: no space left"):
        save(small_model(seed=1), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_model_that_could_not_be_loaded_is_not_saved(path: Path) -> None:
    def model(node: Node, constants: dict[str, Any] | None = None) -> Model:
        return Model(Graph({"x": (4,)}, (node,), constants or {}, (node.name,)))

    weight = np.ones((2, 4), np.float32)
    cases = [
        (model(Node("y", Clip(-np.inf, 1.0), ("x",))), "Infinity"),
        (model(Node("y", Linear(), ("x", "w")), {"w": weight.astype(np.int16)}), "int16"),
        (model(Node("y", Fused(Linear(), (Relu(),), 2), ("x", "w")), {"w": weight}), "made by a pass"),
        (Model(small_model().graph, classes=("a", "b", "c", "\ud800")), "printable"),
        (Model(small_model().graph, license="\ud800"), "license"),
        (Model(small_model().graph, notes={"a": "x" * MAX_HEADER}), "header"),
    ]
    for broken, rule in cases:
        with pytest.raises(CnnfastError, match=rule):
            save(broken, path)
        assert not list(path.parent.iterdir())


def test_truncated_anywhere(path: Path, peak: Callable[[], int]) -> None:
    raw = saved(path)
    for length in [*range(0, len(raw), 100), len(raw) - 1]:
        refuse(path, raw[:length])
    assert peak() < MEMORY


def test_a_byte_more(path: Path) -> None:
    refuse(path, saved(path) + b"\0", "belong to no tensor")


def test_a_thousand_flipped_bytes(path: Path, peak: Callable[[], int]) -> None:
    raw, rng = saved(path), np.random.default_rng(5)
    for _ in range(1000):
        damaged = bytearray(raw)
        damaged[rng.integers(len(raw))] ^= int(rng.integers(1, 256))
        refuse(path, bytes(damaged))
    assert peak() < MEMORY


def test_a_flipped_bit_of_a_weight_is_noticed(path: Path) -> None:
    raw = bytearray(saved(path))
    raw[-1] ^= 1
    refuse(path, bytes(raw), "SHA-256")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("version", value=4), r"version 4, but this cnnfast knows versions 1 to 3 only; upgrade cnnfast"),
        (put("version", value=3), "keys .* scales, borrowed, but it has version"),
        (put("version", value=2), "keys .* scales, but it has version"),
        (put("version", value=0), "never existed"),
        (put("version", value="1"), "states no version"),
        (put("version", value=True), "states no version"),
        (put("surprise", value=1), "surprise"),
        (lambda d: d.pop("nodes"), "keys version, input, nodes"),
        (put("nodes", value=None), "nodes must be a list"),
        (put("nodes", value=[]), "output 'p'"),
        (put("nodes", 0, value=[]), "node 0 must be an object"),
        (put("nodes", 0, "op", value="exec"), "node 'conv': unknown op 'exec'"),
        (put("nodes", 0, "op", value=["conv2d"]), "unknown op"),
        (put("nodes", 0, "attributes", value={"stride": [0, 1]}), "node 'conv': stride"),
        (put("nodes", 0, "attributes", value={"color": 1}), "no attribute 'color'"),
        (put("nodes", 0, "attributes", value={"padding": [1 << 40] * 4}), "padding"),
        (put("nodes", 0, "inputs", value=["image", "gone", "b"]), "reads 'gone', which nothing provides"),
        (put("nodes", 0, "inputs", value=["sum", "w", "b"]), "cycle through: conv, act, sum"),
        (put("nodes", 0, "inputs", value=["image"]), "conv2d takes the inputs"),
        (put("nodes", 0, "inputs", value="image"), "must be a list"),
        (put("nodes", 0, "inputs", value=[3]), "printable"),
        (put("nodes", 1, "name", value="conv"), "two values are named 'conv'"),
        (put("nodes", 1, "name", value="a\x1b[31m"), "printable"),
        (put("input", "shape", value=[3, 8, 9]), "broadcast|linear|preprocessing"),
        (put("input", "shape", value=[3, 1 << 40, 8]), "positive integer"),
        (put("input", "shape", value=[3, 1 << 20, 1 << 20]), "elements"),
        (put("input", "shape", value=[3, 8.0, 8]), "must be integers"),
        (put("input", "shape", value=[]), "positive integer"),
        (put("input", "shape", value=[-3, 8, 8]), "positive integer"),
        (put("input", "shape", value=[1] * 4), "at most 3"),
        (put("output", value="nowhere"), "the output 'nowhere' is not a value"),
        (put("output", value=["p"]), "printable"),
        (put("preprocess", "std", value=[0, 1, 1]), "std"),
        (put("preprocess", value=[]), "mapping"),
        (put("preprocess", "size", value=[1 << 30, 1 << 30]), "size"),
        (put("classes", value=["cat"]), "4 labels, but there are 1"),
        (put("classes", value={"cat": 1}), "classes must be a list"),
        (put("classes", 0, value=3), "a class is called 3"),
        (put("license", value=3), "license must be a text"),
        (put("notes", value=[]), "notes must be an object"),
        (put("notes", "source", value=None), "the note 'source' must be a text"),
    ],
)
def test_descriptions_of_what_cannot_be(path: Path, change: Callable[[dict[str, Any]], None], rule: str) -> None:
    refuse(path, changed(saved(path), change), rule)


def test_missing_and_misshapen_weights(path: Path) -> None:
    header, description, data = split(saved(path))
    (name, entry) = next((n, e) for n, e in header.items() if n == "m")
    entry["shape"] = entry["shape"][::-1]
    refuse(path, join(header, description, data), "node 'fc': linear on 48 features")
    entry["shape"] = entry["shape"][::-1]
    header["renamed"] = header.pop(name)
    refuse(path, join(header, description, data), "'fc' .* reads 'm', which nothing provides")


def test_two_tensors_of_one_name(path: Path) -> None:
    header, description, data = split(saved(path))
    text = join(header, description, data)
    raw = text.replace(b'"b":{"dtype"', b'"w":{"dtype"')
    assert raw != text
    refuse(path, sealed(raw), "'w' appears twice")


def test_too_many_nodes(path: Path) -> None:
    node = {"name": "n", "op": "relu", "attributes": {}, "inputs": []}
    refuse(path, changed(saved(path), put("nodes", value=[node] * 20_001)), "nodes has 20001 items")


def test_a_model_of_many_nodes(path: Path) -> None:
    nodes = tuple(Node(f"n{i}", Relu(), (f"n{i - 1}" if i else "x",)) for i in range(20_000))
    graph = Graph({"x": (4,)}, nodes, {}, ("n19999",))
    save(Model(graph), path)
    assert load_model(path).graph.nodes == nodes


def hostile_headers() -> dict[str, bytes]:
    """Return headers that look like ours and are out to fill the memory, the stack or the patience."""
    start = native.PREFIX + b"0" * 64 + b'","cnnfast.model":"'
    room = MAX_HEADER - len(start) - 100
    fill = MAX_CONTAINERS - 10

    def inner(text: bytes) -> bytes:
        return start + text.replace(b'"', b'\\"') + b'"}}'

    return {
        "deep": start + b'"},"x":' + b"[" * room,
        "deep description": inner(b"[" * fill),
        "deep objects": inner(b'{"a":' * fill),
        "many lists": inner(b"[" + b"[1]," * fill + b'"ab",' * ((room - 4 * fill) // 7) + b"1]"),
        "many objects": inner(b"[" + b'{"a":1},' * (room // 10 if room // 10 < fill else fill) + b"1]"),
        "many keys": start + b'"},' + b",".join(b'"%x":1' % i for i in range(room // 10)) + b"}",
        "many keys inside": inner(b"{" + b",".join(b'"%x":1' % i for i in range(room // 12)) + b"}"),
        "wide characters": start + b"\\ud83d\\ude00" + b"a" * room + b'"}}',
        "wide characters inside": start + b"\\\\ud83d\\\\ude00" + b"a" * room + b'"}}',
        "huge integer": inner(b'{"version":' + b"1" * (room - 20) + b"}"),
        "huge float": inner(b'{"version":1' + b"0" * (room - 30) + b".0}"),
        "open string": start + b"a" * room,
    }


@pytest.mark.parametrize("name", hostile_headers())
def test_hostile_headers(path: Path, name: str, peak: Callable[[], int]) -> None:
    header = hostile_headers()[name]
    assert len(header) <= MAX_HEADER
    raw = with_header(header)
    del header
    tracemalloc.clear_traces()
    path.write_bytes(raw)
    with pytest.raises(CnnfastError):
        native.load(path)
    assert peak() < MEMORY


NASTY = [None, True, -1, 0, 1 << 62, 1e308, -0.0, "", "x", "\ud800", [], [[]], {}, {"a": []}, [0] * 5, [1, -1], ["x"]]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def test_nonsense_at_every_place_of_the_description(path: Path, peak: Callable[[], int]) -> None:
    header, description, data = split(saved(path))
    text, rng = json.dumps(description), np.random.default_rng(6)
    for index in range(len(list(places(description)))):
        for choice in rng.choice(len(NASTY), 4, replace=False):
            fresh = json.loads(text)
            container, key = list(places(fresh))[index]
            container[key] = NASTY[choice]
            path.write_bytes(join(header, fresh, data))
            with contextlib.suppress(CnnfastError):
                native.load(path)
    assert peak() < MEMORY


def test_what_is_no_file(tmp_path: Path) -> None:
    for strange in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelFileError):
            native.load(strange)


def test_a_layer_without_weights_needs_no_tensor(path: Path) -> None:
    save(Model(Graph({"x": (2, 3, 4)}, (Node("y", Flatten(), ("x",)),), {}, ("y",))), path)
    assert load_model(path).graph.shapes["y"] == (24,)


FOREIGN_SUFFIXES = [
    suffix
    for entry in FORMATS.values()
    for suffix in entry.suffixes
    if suffix.startswith(".") and suffix not in (".safetensors", ".onnx")
]


@pytest.mark.parametrize("suffix", sorted({*FOREIGN_SUFFIXES, ".npz", ".npy", ".pkl", ".pickle", ".pt2", ".KERAS"}))
def test_a_name_of_another_format_is_refused_with_the_right_one(suffix: str, tmp_path: Path) -> None:
    net = Network.load("cifar10-cs61c")
    with pytest.raises(ConfigError, match=r"cnnfast writes .*call it net\.safetensors or net\.onnx"):
        net.save(tmp_path / f"net{suffix}")
    assert not list(tmp_path.iterdir())


def test_other_names_are_refused_with_the_right_one(tmp_path: Path) -> None:
    net = Network.load("cifar10-cs61c")
    for name in ("net", "net.model", "net.v1.2"):
        with pytest.raises(ConfigError, match=re.escape(f"call it {name}.safetensors or {name}.onnx")):
            net.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    net.save(tmp_path / "net.SafeTensors")
    assert Network.load(tmp_path / "net.SafeTensors").input_shape == (3, 32, 32)


def test_a_folder_that_is_not_there_is_named_and_nothing_else(tmp_path: Path) -> None:
    net = Network.load("cifar10-cs61c")
    for path in (tmp_path / "no" / "net.safetensors", tmp_path / "no" / "such" / "net.safetensors"):
        with pytest.raises(OutputError) as caught:
            net.save(path)
        assert str(caught.value) == f"{path}: there is no folder {path.parent}; make it first, or write elsewhere"
    with pytest.raises(OutputError, match=r"is a folder; name the file in it"):
        net.save(tmp_path)
    with pytest.raises(OutputError, match=NAME_TOO_LONG):
        net.save(tmp_path / ("n" * 5000 + ".safetensors"))
