"""The reader of ConvNetJS: small networks against its own loops, written down plainly, and files that are wrong."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats import cifar10, load_model
from cnnfast.graph import evaluate
from cnnfast.ops import Array

Network = dict[str, Any]


def volume(rng: np.random.Generator, sx: int, sy: int, depth: int, as_list: bool = False) -> Network:
    numbers = rng.standard_normal(sx * sy * depth).tolist()
    w = numbers if as_list else {str(i): v for i, v in enumerate(numbers)}
    return {"sx": sx, "sy": sy, "depth": depth, "w": w}


def layer(kind: str, depth: int, width: int = 1, height: int = 1, /, **more: Any) -> Network:
    return {"layer_type": kind, "out_depth": depth, "out_sx": width, "out_sy": height, **more}


def small_network(seed: int = 0) -> Network:
    """Return a network on images 9 wide, 7 high, 2 deep, with every layer that is supported."""
    rng = np.random.default_rng(seed)
    filters = [volume(rng, 3, 2, 2) for _ in range(3)]
    dense = [volume(rng, 1, 1, 3 * 3 * 2, as_list=True) for _ in range(4)]
    return {
        "layers": [
            layer("input", 2, 9, 7),
            layer("conv", 3, 5, 4, sx=3, sy=2, stride=2, pad=1, filters=filters, biases=volume(rng, 1, 1, 3)),
            layer("relu", 3, 5, 4),
            layer("pool", 3, 3, 2, sx=2, sy=3, stride=2, pad=1),
            layer("tanh", 3, 3, 2),
            layer("fc", 4, num_inputs=18, filters=dense, biases=volume(rng, 1, 1, 4)),
            layer("sigmoid", 4),
            layer("dropout", 4, drop_prob=0.25),
            layer("softmax", 4, num_inputs=4),
        ]
    }


def write(path: Path, network: object) -> Path:
    path.write_text(network if isinstance(network, str) else json.dumps(network), encoding="utf-8")
    return path


def numbers(volume: Network) -> list[float]:
    w = volume["w"]
    return [w[str(i)] for i in range(len(w))] if isinstance(w, dict) else w


def loops(network: Network, image: Array) -> Array:
    """Run a network as ConvNetJS does, pixel by pixel, over volumes indexed [y][x][d]."""
    v = image.transpose(1, 2, 0)
    for spec in network["layers"][1:]:
        v = RUN[spec["layer_type"]](spec, v)
    return v.ravel()


def run_conv(spec: Network, v: Array) -> Array:
    out = np.zeros((spec["out_sy"], spec["out_sx"], spec["out_depth"]))
    for (ay, ax, d), _ in np.ndenumerate(out):
        f = spec["filters"][d]
        w = numbers(f)
        total = 0.0
        for fy in range(f["sy"]):
            for fx in range(f["sx"]):
                oy, ox = ay * spec["stride"] - spec["pad"] + fy, ax * spec["stride"] - spec["pad"] + fx
                if 0 <= oy < v.shape[0] and 0 <= ox < v.shape[1]:
                    for fd in range(f["depth"]):
                        total += w[((f["sx"] * fy) + fx) * f["depth"] + fd] * v[oy, ox, fd]
        out[ay, ax, d] = total + numbers(spec["biases"])[d]
    return out


def run_pool(spec: Network, v: Array) -> Array:
    out = np.full((spec["out_sy"], spec["out_sx"], spec["out_depth"]), -99999.0)
    for (ay, ax, d), _ in np.ndenumerate(out):
        for fy in range(spec["sy"]):
            for fx in range(spec["sx"]):
                oy, ox = ay * spec["stride"] - spec["pad"] + fy, ax * spec["stride"] - spec["pad"] + fx
                if 0 <= oy < v.shape[0] and 0 <= ox < v.shape[1]:
                    out[ay, ax, d] = max(out[ay, ax, d], v[oy, ox, d])
    return out


def run_dense(spec: Network, v: Array) -> Array:
    sums = [math.fsum(a * b for a, b in zip(numbers(f), v.ravel(), strict=True)) for f in spec["filters"]]
    return (np.array(sums) + numbers(spec["biases"])).reshape(1, 1, -1)


RUN: dict[str, Any] = {
    "conv": run_conv,
    "pool": run_pool,
    "fc": run_dense,
    "relu": lambda spec, v: np.maximum(v, 0),
    "tanh": lambda spec, v: np.tanh(v),
    "sigmoid": lambda spec, v: 1 / (1 + np.exp(-v)),
    "dropout": lambda spec, v: v * (1 - spec["drop_prob"]),
    "softmax": lambda spec, v: np.exp(v) / np.exp(v).sum(),
}


def test_every_layer_as_convnetjs_computes_it(tmp_path: Path) -> None:
    network = small_network()
    model = load_model(write(tmp_path / "net.json", network))
    images = np.random.default_rng(1).standard_normal((3, 2, 7, 9))
    probabilities = evaluate(model.graph, images)["layer8"]
    for image, row in zip(images, probabilities, strict=True):
        np.testing.assert_allclose(row, loops(network, image), rtol=1e-12)


def test_softmax_over_a_volume_keeps_its_order(tmp_path: Path) -> None:
    network = {"layers": [layer("input", 2, 3, 1), layer("softmax", 6)]}
    model = load_model(write(tmp_path / "net.json", network))
    images = np.random.default_rng(2).standard_normal((1, 2, 1, 3))
    np.testing.assert_allclose(evaluate(model.graph, images)["layer1"][0], loops(network, images[0]), rtol=1e-14)


def test_labels_and_preprocessing_of_other_networks_come_from_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path / "net.json", small_network())
    assert load_model(path).classes is None
    assert load_model(path).preprocess is None
    assert load_model(path, classes=["a", "b", "c", "d"]).classes == ("a", "b", "c", "d")


def test_cifar10_is_recognized_by_its_sizes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dense = [volume(rng, 1, 1, 3072) for _ in range(10)]
    layers = [layer("input", 3, 32, 32), layer("fc", 10, filters=dense, biases=volume(rng, 1, 1, 10))]
    model = load_model(write(tmp_path / "net.json", {"layers": layers}))
    assert model.classes == cifar10.CLASSES
    assert model.preprocess == cifar10.byte_minus_half()


def test_all_unsupported_layers_are_listed_at_once(tmp_path: Path) -> None:
    network = small_network()
    network["layers"][2]["layer_type"] = "maxout"
    network["layers"][4]["layer_type"] = "lrn"
    network["layers"][8]["layer_type"] = "svm"
    path = write(tmp_path / "net.json", network)
    with pytest.raises(UnsupportedError, match=r"layer 2 \(maxout\), layer 4 \(lrn\), layer 8 \(svm\)") as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        ((0, "layer_type"), "relu", "layer 0 must be of type input"),
        ((1, "layer_type"), "input", "layer 1 is of type input; only layer 0 may be"),
        ((0, "out_sx"), 0, "out_sx must be an integer of at least 1, but is 0"),
        ((1, "stride"), 0, r"layer 1 \(conv\): stride"),
        ((1, "pad"), -1, "pad must be"),
        ((1, "out_sx"), 6, r"states the output \(C, H, W\) = \(3, 4, 6\), but what it does gives \(3, 4, 5\)"),
        ((1, "filters"), [], "out_depth = 3 volumes"),
        ((1, "filters", 1, "sx"), 4, r"filter 1 is of size \(H, W, C\) = \(2, 4, 2\), but must be \(2, 3, 2\)"),
        ((1, "filters", 1, "w"), [1.0], "w of filter 1 must hold 12 numbers"),
        ((1, "filters", 1, "w", "3"), None, "null, which stands for NaN"),
        ((1, "filters", 1, "w", "3"), "0.5", "must hold the numbers 0 to 11"),
        ((1, "filters", 1), 7, "filter 1 must be an object"),
        ((1, "biases"), None, "biases must be an object"),
        ((1, "sx"), 1 << 60, "but must be"),
        ((3, "pad"), 5, r"layer 3 \(pool\): padding"),
        ((5, "filters", 0, "depth"), 17, "filter 0 is of size"),
        ((7, "drop_prob"), 1, "drop_prob must be"),
        ((4,), "tanh", "layer 4 must be an object"),
        ((4, "layer_type"), ["tanh"], "layer 4 must be an object"),
    ],
)
def test_damage_is_named(tmp_path: Path, place: tuple[Any, ...], value: Any, rule: str) -> None:
    network = small_network()
    container: Any = network["layers"]
    for key in place[:-1]:
        container = container[key]
    container[place[-1]] = value
    path = write(tmp_path / "net.json", network)
    with pytest.raises(ModelFileError, match=rule) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_truncated_and_flipped(tmp_path: Path) -> None:
    text = json.dumps(small_network())
    for length in range(200, len(text), 100):
        with pytest.raises(ModelFileError):
            load_model(write(tmp_path / "net.json", text[:length]))
    rng = np.random.default_rng(3)
    for _ in range(300):
        raw = bytearray(text.encode())
        raw[rng.integers(len(raw))] ^= int(rng.integers(1, 256))
        (tmp_path / "net.json").write_bytes(raw)
        with contextlib.suppress(ModelFileError, UnsupportedError):
            load_model(tmp_path / "net.json")
