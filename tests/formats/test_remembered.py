"""What a model file remembers of pictures: what comes back, what is dropped, and what is refused."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from formats.crafted import join, small_model, split

from cnnfast import Network
from cnnfast.errors import CnnfastError, GraphError, ModelFileError
from cnnfast.formats import Model, load_model, save
from cnnfast.formats.remembered import FEATURES, NUMBERS, Remembered
from cnnfast.graph import Graph, Node
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Linear


def remembered(width: int = 48, numbers: tuple[int, ...] = (0, 1, 1, 3)) -> Remembered:
    rng = np.random.default_rng(1)
    return Remembered(rng.normal(size=(len(numbers), width)).astype(np.float16), np.array(numbers, np.int32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def assert_same(a: Remembered | None, b: Remembered | None) -> None:
    assert a is not None
    assert b is not None
    np.testing.assert_array_equal(a.features, b.features, strict=True)
    np.testing.assert_array_equal(a.numbers, b.numbers, strict=True)


@pytest.mark.parametrize("dtype", [None, "float16", "int8"])
def test_it_comes_back_and_the_same_model_gives_the_same_bytes(path: Path, dtype: str | None) -> None:
    model = replace(small_model(), remembered=remembered())
    save(model, path, dtype=dtype)
    loaded = load_model(path)
    assert_same(loaded.remembered, remembered())
    assert loaded.graph.constants.keys() == model.graph.constants.keys()
    first = path.read_bytes()
    save(loaded, path, dtype=dtype)
    assert path.read_bytes() == first
    theirs = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(theirs[FEATURES], remembered().features, strict=True)
    np.testing.assert_array_equal(theirs[NUMBERS], remembered().numbers, strict=True)


def test_nothing_else_in_the_file_differs(path: Path) -> None:
    save(small_model(), path)
    header, description, _ = split(path.read_bytes())
    save(replace(small_model(), remembered=remembered()), path)
    longer, same, _ = split(path.read_bytes())
    assert same == description
    assert longer.keys() - header.keys() == {FEATURES, NUMBERS}


def test_it_travels_with_a_pickled_network(path: Path) -> None:
    net = Network(replace(small_model(), remembered=remembered()))
    assert_same(pickle.loads(pickle.dumps(net)).remembered, remembered())


def test_another_preprocessing_makes_other_features(path: Path) -> None:
    save(replace(small_model(), remembered=remembered()), path)
    own = small_model().preprocess
    assert own is not None
    assert load_model(path, preprocess=own).remembered is not None
    assert load_model(path, preprocess=Preprocess(size=(8, 8))).remembered is None


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (lambda: remembered(width=47), "rows of 47 numbers, but the last dense layer reads the shape (48,)"),
        (lambda: remembered(numbers=(0, 4)), "numbers from 0 to 4, but there are 4 classes"),
        (lambda: remembered(numbers=(-1, 0)), "numbers from -1 to 0"),
        (lambda: Remembered(np.zeros((2, 48), np.float32), np.zeros(2, np.int32)), "must be float16 (M, F)"),
        (lambda: Remembered(np.zeros((2, 48), np.float16), np.zeros(2, np.int64)), "must be int32 of shape (2,)"),
        (lambda: Remembered(np.zeros((2, 48), np.float16), np.zeros(3, np.int32)), "one for each row"),
        (lambda: Remembered(np.zeros((0, 48), np.float16), np.zeros(0, np.int32)), "must have a row at least"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(wrong: object, rule: str) -> None:
    with pytest.raises(GraphError, match=re.escape(rule)):
        replace(small_model(), remembered=wrong())  # type: ignore[operator]


@pytest.mark.parametrize("kept", [FEATURES, NUMBERS])
def test_half_of_it_is_damage(path: Path, kept: str) -> None:
    save(replace(small_model(), remembered=remembered()), path)
    header, description, data = split(path.read_bytes())
    gone = FEATURES if kept == NUMBERS else NUMBERS
    begin, end = header[gone]["data_offsets"]
    del header[gone]
    for entry in header.values():
        if isinstance(entry, dict) and "data_offsets" in entry:
            entry["data_offsets"] = [at - (end - begin) * (at > begin) for at in entry["data_offsets"]]
    path.write_bytes(join(header, description, data[:begin] + data[end:]))
    with pytest.raises(ModelFileError, match=f"has the tensor '{re.escape(kept)}' alone"):
        load_model(path)


def test_a_file_with_classes_out_of_range_is_refused(path: Path) -> None:
    save(replace(small_model(), remembered=remembered()), path)
    header, description, data = split(path.read_bytes())
    begin, _ = header[NUMBERS]["data_offsets"]
    path.write_bytes(join(header, description, data[:begin] + b"\xff\xff\xff\x7f" + data[begin + 4 :]))
    with pytest.raises(CnnfastError, match=re.escape(f"{path}: {NUMBERS} has numbers from 1 to 2147483647")):
        load_model(path)


def test_a_weight_of_that_name_gets_another_one(path: Path) -> None:
    weight = np.eye(2, dtype=np.float32)
    graph = Graph({"x": (2,)}, (Node("y", Linear(), ("x", FEATURES)),), {FEATURES: weight}, ("y",))
    save(Model(graph), path)
    loaded = load_model(path)
    assert loaded.remembered is None
    assert list(loaded.graph.constants) == [f"{FEATURES}.1"]


def test_onnx_has_no_place_for_it(path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.warns(UserWarning, match="features of 4 pictures.*ONNX has no place"):
        save(replace(small_model(), remembered=remembered()), path.with_suffix(".onnx"))
    assert load_model(path.with_suffix(".onnx")).remembered is None
