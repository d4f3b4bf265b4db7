"""Weights that a file holds as float16: what rounding does to them, and what it must not touch.

Those of eight bits are in test_scaled.py.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from formats.crafted import small_model, split

from cnnfast import Network
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import Model, load_model, save
from cnnfast.formats.narrow import DTYPES, NOTE, stored
from cnnfast.graph import Graph, Node
from cnnfast.ops import Linear


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def dense(weight: object, notes: dict[str, str] | None = None) -> Model:
    array = np.asarray(weight, np.float32)
    return Model(
        Graph({"x": (array.shape[1],)}, (Node("y", Linear(), ("x", "w")),), {"w": array}, ("y",)), notes=notes or {}
    )


def test_weights_are_rounded_to_the_nearest_and_vectors_stay(path: Path) -> None:
    model = small_model()
    save(model, path, dtype="float16")
    theirs = safetensors.numpy.load_file(path)
    dtypes = {name: array.dtype.name for name, array in theirs.items()}
    assert dtypes == {"w": "float16", "m": "float16", "b": "float32"}
    loaded = load_model(path)
    for name, exact in model.graph.constants.items():
        ours = loaded.graph.constants[name]
        assert ours.dtype == np.float32
        assert not ours.flags.writeable
        np.testing.assert_array_equal(ours, theirs[name].astype(np.float32))
        if exact.ndim > 1:
            # no neighbor in float16 is nearer
            half, wide = theirs[name], exact.astype(np.float64)
            for direction in (-np.inf, np.inf):
                neighbor = np.nextafter(half, np.float16(direction))
                assert (np.abs(half - wide) <= np.abs(neighbor - wide)).all()
        else:
            np.testing.assert_array_equal(ours, exact)


def test_the_note_states_the_largest_change(path: Path) -> None:
    weight = np.array([[8.0, 0.5], [1.0, 1.0 + 2**-12]], np.float32)
    save(dense(weight), path, dtype=np.float16)
    share = 2**-12 / 8
    assert load_model(path).notes[NOTE] == (
        f"1 tensor to float16, by at most {share:.2g} of the largest value of a tensor (w)"
    )


def test_what_is_float16_already_keeps_its_bytes_and_its_note(path: Path) -> None:
    save(small_model(), path, dtype="float16")
    first = path.read_bytes()
    save(load_model(path), path, dtype="float16")
    assert path.read_bytes() == first
    assert NOTE not in stored(dense([[1.0, -0.5]]), "float16").model.notes


def test_saved_in_full_again_nothing_changes(path: Path) -> None:
    save(small_model(), path, dtype="float16")
    once = load_model(path)
    save(once, path)
    twice = load_model(path)
    assert split(path.read_bytes())[0]["w"]["dtype"] == "F32"
    for name, array in once.graph.constants.items():
        np.testing.assert_array_equal(twice.graph.constants[name], array, strict=True)


@pytest.mark.parametrize("value", [65_520.0, -1e30])
def test_a_weight_beyond_float16_is_named_and_nothing_is_written(path: Path, value: float) -> None:
    with pytest.raises(ModelFileError, match=re.escape(f"the tensor 'w' holds {value:g}, and float16 ends")):
        save(dense([[1.0, value]]), path, dtype="float16")
    assert not list(path.parent.iterdir())


def test_what_rounds_to_the_largest_is_no_overflow() -> None:
    assert stored(dense([[65_519.0]]), "float16").arrays["w"][0, 0] == 65_504


def test_tiny_weights_lose_their_digits_and_the_note_counts_that() -> None:
    content = stored(dense([[1e-9, 3e-9]]), "float16")
    assert not content.arrays["w"].any()
    assert "by at most 1 of the largest value" in content.model.notes[NOTE]


def test_values_that_are_not_finite_stay_so() -> None:
    weight = np.array([[np.nan, np.inf, -np.inf, 0.1]], np.float32)
    kept = stored(dense(weight), "float16").arrays["w"].astype(np.float32)
    np.testing.assert_array_equal(kept[0, :3], weight[0, :3])


@pytest.mark.parametrize("dtype", ["uint8", "float32", "half a float", 16, object()])
def test_other_dtypes_are_refused(path: Path, dtype: object) -> None:
    with pytest.raises(ConfigError, match="dtype must be 'float16', 'int8'"):
        save(small_model(), path, dtype=dtype)


def test_onnx_is_written_in_float32_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ONNX in float32 only; .* call it net\.safetensors"):
        Network.load("cifar10-cs61c").save(tmp_path / "net.onnx", dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_stay_exact(path: Path, dtype: str) -> None:
    net = Network.load("cifar10-cs61c-int8")
    net.save(path, dtype=dtype)
    again = Network.load(path)
    assert dict(again.notes) == dict(net.notes)
    for name, array in net.graph.constants.items():
        np.testing.assert_array_equal(again.graph.constants[name], array, strict=True)


def test_the_file_takes_half_the_bytes_and_its_labels_stay(path: Path) -> None:
    net = Network.load("cifar10-lenet")
    net.save(path, dtype="float16")
    full = sum(array.nbytes for array in net.graph.constants.values())
    assert path.stat().st_size < 0.55 * full
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
    ours, exact = Network.load(path).predict_proba(pixels), net.predict_proba(pixels)
    np.testing.assert_allclose(ours, exact, atol=0.01)
    assert not np.array_equal(ours, exact)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    assert header["fc1.weight"]["dtype"] == "F16"
