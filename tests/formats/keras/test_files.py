"""The reader of Keras on files written by hand: what they compute, and what is said about those that are wrong."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="writing models of Keras needs h5py")

from formats.keras.crafted import INPUT, config, entry, expected, h5_bytes, keras_bytes, layers, write  # noqa: E402

from cnnfast import Network, Preprocess  # noqa: E402
from cnnfast.errors import ConfigError, ModelFileError, UnsupportedError  # noqa: E402
from cnnfast.formats import detect, load_model  # noqa: E402
from cnnfast.graph import builder  # noqa: E402

WRITERS = {
    "keras2.h5": lambda specs: h5_bytes(specs, "2.4.0"),
    "keras3.h5": lambda specs: h5_bytes(specs, "3.15.1"),
    "keras3.keras": keras_bytes,
}


def pixels(count: int = 4) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(5).integers(0, 256, (count, *INPUT), dtype=np.uint8)


@pytest.mark.parametrize("writer", WRITERS)
def test_it_computes_what_the_layers_say(tmp_path: Path, writer: str) -> None:
    path = write(tmp_path / "model", WRITERS[writer](layers()))
    assert detect(path).name == "keras"
    net = Network.load(path)
    np.testing.assert_allclose(net.forward(pixels()), expected(layers(), pixels()), rtol=1e-5, atol=1e-6)


def test_rescaling_at_the_start_becomes_the_preprocessing(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", h5_bytes(layers()))
    rule = load_model(path).preprocess
    assert rule == Preprocess(size=(6, 5), scale=1 / 127.5, mean=(1.0,), std=(1.0,))
    kept = load_model(path, preprocess="raw")
    assert kept.preprocess == Preprocess(size=(6, 5), scale=1.0)
    outputs = [Network(model).forward(pixels()) for model in (load_model(path), kept)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


def test_labels_and_modes_come_from_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", h5_bytes(layers()))
    model = load_model(path, classes=list("abcde"), preprocess="caffe")
    assert model.classes == tuple("abcde")
    assert model.preprocess is not None
    assert (model.preprocess.channels, model.preprocess.scale) == ("bgr", 1.0)
    with pytest.raises(ConfigError, match="one of raw, 1/255, tf, torch, caffe"):
        load_model(path, preprocess="imagenet")


@pytest.mark.parametrize("writer", WRITERS)
def test_saved_and_read_again_gives_the_same_bits(tmp_path: Path, writer: str) -> None:
    net = Network.load(write(tmp_path / "model", WRITERS[writer](layers())))
    net.save(tmp_path / "copy.safetensors")
    copy = Network.load(tmp_path / "copy.safetensors")
    assert copy.preprocess == net.preprocess
    np.testing.assert_array_equal(copy.forward(pixels()), net.forward(pixels()))


def test_all_unsupported_layers_are_listed_at_once(tmp_path: Path) -> None:
    specs = layers()
    specs[4]["kind"] = "Conv3D"
    specs[7] |= {"kind": "Lambda"}
    specs[7]["config"]["function"] = {"class_name": "__lambda__", "config": {"code": "4wEAAAA"}}
    specs[8]["config"]["activation"] = "swoosh"
    path = write(tmp_path / "model", keras_bytes(specs))
    with pytest.raises(UnsupportedError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cnnfast does not run 3 of its layers (1 Conv3D, 1 Lambda, 1 Dense):")
    for part in ("'sum' (Conv3D)", "nearest: Conv2D", "'drop' (Lambda, ", "never run", "'head' (Dense, ", "swoosh"):
        assert part in message


def test_layers_that_do_not_fit_their_input_are_listed_with_all_others(tmp_path: Path) -> None:
    """What is only known once the sizes are: it does not hide the layers before, after and parallel to it."""
    specs = layers()
    specs[3:3] = [entry("cut", "RandomCrop", ["stem"], {"height": 4, "width": 4})]
    specs[5]["sources"] = ["norm", "cut"]
    specs += [
        entry("other", "Softmax", ["head"], {"axis": [1, 2]}),
        entry("last", "Multiply", ["other", "head"], {}),
    ]
    with pytest.raises(UnsupportedError) as caught:
        load_model(write(tmp_path / "model", keras_bytes(specs)))
    assert "does not run 2 of its layers" in str(caught.value)
    assert "'cut' (RandomCrop" in str(caught.value)
    assert "'other' (Softmax" in str(caught.value)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ({"class_name": "ReLU", "config": {"max_value": 6.0}}, lambda x: np.clip(x, 0, 6)),
        ({"class_name": "LeakyReLU", "config": {"negative_slope": 0.3}}, lambda x: np.where(x < 0, 0.3 * x, x)),
        ({"class_name": "function", "config": "tanh"}, np.tanh),
    ],
)
def test_layers_as_activations(activation: dict[str, Any], function: Any, tmp_path: Path) -> None:
    specs = layers()
    specs = [specs[0], *specs[2:3]]
    specs[1]["sources"], specs[1]["config"]["activation"] = ["pixels"], activation
    specs[1]["weights"] = [np.eye(3, 4, dtype=np.float32).reshape(1, 1, 3, 4), np.zeros(4, np.float32)]
    specs[1]["config"]["kernel_size"] = [1, 1]
    x = np.random.default_rng(0).uniform(-9, 9, (2, *INPUT)).astype(np.float32)
    net = Network.load(write(tmp_path / "model", keras_bytes(specs)))
    result = net.forward(x, layout="nhwc").transpose(0, 2, 3, 1)[..., :3]
    np.testing.assert_allclose(result, function(x), rtol=1e-5, atol=1e-6)


def test_a_pipeline_of_random_layers_does_nothing(tmp_path: Path) -> None:
    inner = [{"class_name": kind, "config": {}} for kind in ("RandomFlip", "RandomHue")]
    specs = [*layers()[:1], entry("augment", "Pipeline", ["pixels"], {"layers": inner})]
    net = Network.load(write(tmp_path / "model", keras_bytes(specs)), preprocess="raw")
    np.testing.assert_array_equal(net.forward(pixels()).transpose(0, 2, 3, 1), pixels())
    specs[1]["config"]["layers"].append({"class_name": "Lambda", "config": {}})
    with pytest.raises(UnsupportedError, match=r"'augment' \(Pipeline.*'Lambda', which is not supported"):
        load_model(write(tmp_path / "model", keras_bytes(specs)))


def changed(index: int, **settings: Any) -> list[dict[str, Any]]:
    specs = layers()
    specs[index]["config"] |= settings
    return specs


def with_weights(index: int, *weights: Any) -> list[dict[str, Any]]:
    specs = layers()
    specs[index]["weights"] = [np.asarray(w) for w in weights]
    return specs


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        (changed(2, strides=[0, 1]), r"layer 'stem' \(Conv2D\): strides must be two integers of at least 1"),
        (changed(2, groups=2), r"layer 'stem' \(Conv2D\): conv2d with groups=2"),
        (changed(2, use_bias=False), r"needs the weights kernel, but .* holds 2"),
        (changed(2, padding=7), "padding must be one of"),
        (changed(3, axis=[1]), "batch_norm needs an input of shape"),
        (changed(2, filters=5), r"kernel is of shape \(3, 3, 3, 4\), but the config states \(3, 3, any, 5\)"),
        (changed(3, epsilon="x"), "epsilon must be a finite number"),
        (changed(1, scale="x"), "scale must be finite numbers"),
        (changed(0, batch_shape=[None, 0, 5, 3]), "every size must be a positive integer"),
        (changed(0, batch_shape=[None, 6, 5, 4]), "conv2d with groups=1 on 4 channels"),
        (changed(0, batch_shape=7), "must have a shape"),
        (changed(0, batch_shape=[None, None, None, 3]), r"give input_shape=\(C, H, W\)"),
        (with_weights(2, np.ones((3, 3, 3)), np.ones(4)), "kernel must have 4 axes"),
        (with_weights(8, np.ones((23, 5)), np.ones(5)), "linear on 24 features needs a weight"),
        (with_weights(8, np.array([b"text"]), np.ones(5)), "must hold numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, specs: list[dict[str, Any]], rule: str) -> None:
    path = write(tmp_path / "model", h5_bytes(specs))
    with pytest.raises(ModelFileError, match=rule) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_images_of_any_size_get_one(tmp_path: Path) -> None:
    specs = changed(0, batch_shape=[None, None, None, 3])
    path = write(tmp_path / "model", h5_bytes(specs))
    assert load_model(path, input_shape=(3, 6, 5)).graph.inputs == {"pixels": (3, 6, 5)}
    with pytest.raises(ModelFileError, match="does not fit"):
        load_model(write(path, h5_bytes(layers())), input_shape=(3, 7, 5))


def test_layers_that_wait_for_each_other(tmp_path: Path) -> None:
    specs = layers()
    specs[4]["sources"] = ["norm", "head"]
    with pytest.raises(ModelFileError, match="the output of 'head' depends on itself"):
        load_model(write(tmp_path / "model", keras_bytes(specs)))


def test_classes_that_are_code(tmp_path: Path) -> None:
    model = {"class_name": "MyNet", "config": {}, "registered_name": "package>MyNet"}
    with pytest.raises(ModelFileError, match="'MyNet', which is Python code outside of the file"):
        load_model(write(tmp_path / "model", keras_bytes(layers(), model)))


def test_weights_alone_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones(3)
    with pytest.raises(ModelFileError, match=r"no attribute model_config; .* model\.save\(\)"):
        load_model(tmp_path / "weights.h5")


def test_models_nested_in_models_without_end(tmp_path: Path) -> None:
    inner = config(layers())
    for _ in range(20):
        wrapped = config([layers()[0], entry("model", "Functional", ["pixels"], {})])
        wrapped["config"]["layers"][1]["config"] = inner["config"]
        inner = wrapped
    with pytest.raises(ModelFileError, match="nested more than"):
        load_model(write(tmp_path / "model", keras_bytes(layers(), inner)))


def test_models_that_call_models_many_times_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve models, each of which calls the next one ten times, would be 10 ** 12 layers."""
    monkeypatch.setattr(builder, "MAX_NODES", 500)
    inner = config([entry("i", "InputLayer", [], {}), entry("r", "ReLU", ["i"], {})])
    for _ in range(12):
        outer = config([layers()[0], entry("model", "Functional", ["pixels"], {})])
        called = outer["config"]["layers"][1]
        called["config"] = inner["config"]
        for index in range(9):
            tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["model", index, 0]}}
            called["inbound_nodes"].append({"args": [tensor], "kwargs": {}})
        outer["config"]["output_layers"] = [["model", 9, 0]]
        inner = outer
    with pytest.raises(ModelFileError, match="more than 500 nodes"):
        load_model(write(tmp_path / "model", keras_bytes(layers(), inner)))


def h5_with(change: Any) -> bytes:
    """Return an ``.h5`` file after a change to the group of the dense layer's weights."""
    stream = io.BytesIO(h5_bytes(layers()))
    with h5py.File(stream, "r+") as file:
        change(file["model_weights/head/head"])
    return stream.getvalue()


def replace_kernel(make: Any) -> Any:
    def change(group: Any) -> None:
        del group["kernel:0"]
        make(group)

    return change


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda g: g.create_dataset("kernel:0", (1 << 40, 5), "f4", chunks=(1024, 5)), "would take"),
        (lambda g: g.create_dataset("kernel:0", (1 << 22, 5), "f4", fillvalue=1), "would take"),
        (
            lambda g: g.create_dataset("kernel:0", data=np.zeros((1 << 20, 5), "f4"), compression="gzip"),
            "at most 64 times as many",
        ),
        (lambda g: g.create_dataset("kernel:0", (24, 5), "f4", external=[("other", 0, 480)]), "another file"),
        (lambda g: g.__setitem__("kernel:0", h5py.ExternalLink("other.h5", "x")), "soft or external link"),
        (lambda g: g.__setitem__("kernel:0", h5py.SoftLink("/model_weights")), "soft or external link"),
        (lambda g: g.create_group("kernel:0"), "there is no weight"),
    ],
)
def test_weights_that_are_not_in_the_file(tmp_path: Path, make: Any, rule: str) -> None:
    with pytest.raises(ModelFileError, match=rule):
        load_model(write(tmp_path / "model", h5_with(replace_kernel(make))))


@pytest.mark.parametrize("content", [b" " * (64 << 20), b'["' + b'a","' * (21 << 20)])
def test_a_configuration_that_expands_is_refused(content: bytes, tmp_path: Path) -> None:
    """64 MiB of JSON in a file of 64 kB, and what it would take as objects is a multiple of that."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", content)
        archive.writestr("model.weights.h5", b"")
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"config.json would take \d+ bytes; at most \d+ are allowed"):
        Network.load(path)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_zip_that_expands_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config(layers())))
        archive.writestr("model.weights.h5", bytes(50_000_000))
    with pytest.raises(ModelFileError, match=r"model\.weights\.h5 would take 50000000 bytes"):
        load_model(write(tmp_path / "model", content.getvalue()))


def repacked(*before: tuple[str, bytes], prefix: str = "", order: int = 1) -> bytes:
    """Return a ``.keras`` file that was packed again: compressed, with other members in front."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keras_bytes(layers()))) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for name, content in before:
            new.writestr(name, content)
        for name in old.namelist()[::order]:
            new.writestr(prefix + name, old.read(name))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        repacked(),
        repacked(order=-1),
        repacked(("assets/", b"")),
        repacked(("__MACOSX/._config.json", bytes(100))),
        repacked(*((f"assets/{i}.txt", b"x") for i in range(100))),
    ],
    ids=["compressed", "backwards", "a folder first", "an extra of macOS first", "a hundred others first"],
)
def test_files_that_somebody_packed_anew(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "model", content)
    assert detect(path).name == "keras"
    np.testing.assert_allclose(Network.load(path).forward(pixels()), expected(layers(), pixels()), rtol=1e-5, atol=1e-6)


def test_a_folder_in_the_zip_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"in the folder 'model/' .* pack the files in the folder"):
        load_model(write(tmp_path / "model", repacked(prefix="model/")))


def test_other_zip_files_are_not_of_keras(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/config.json", "{}")
        archive.writestr("a/data.bin", b"config.json metadata.json model.weights.h5")
    with pytest.raises(ModelFileError, match=r"\bzip\b|not a model file"):
        load_model(write(tmp_path / "model", stream.getvalue()))


def test_weights_in_another_container(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("config.json", json.dumps(config(layers())))
        archive.writestr("model.weights.npz", b"PK")
    with pytest.raises(UnsupportedError, match=r"its weights are in model\.weights\.npz"):
        load_model(write(tmp_path / "model", stream.getvalue()))
