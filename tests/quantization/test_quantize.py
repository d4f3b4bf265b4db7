"""`cnnfast.quantize`: a network of floats and images in, a network of integers and an account out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.shared_cifar10 import records, tiles_of
from small_networks import photographs, small_net

import cnnfast
from cnnfast import Network
from cnnfast.errors import CnnfastError, ConfigError, GraphError, InputError
from cnnfast.layers import Conv2d, Flatten, GlobalAvgPool, Linear, Relu, Softmax
from cnnfast.network.class_numbers import class_numbers
from cnnfast.quantization import QuantizeResult
from cnnfast.quantization.inputs import network_inputs
from cnnfast.quantization.runs import Runs


@pytest.fixture(scope="module")
def result() -> QuantizeResult:
    return cnnfast.quantize(small_net(), photographs(60))


def answers(net: Network, images: Any) -> np.ndarray[Any, Any]:
    return Runs().output(net.graph, network_inputs(net, images, None))


def test_the_network_is_one_of_integers_and_keeps_all_that_travels_with_it(result: QuantizeResult) -> None:
    net, floats = result.network, small_net()
    assert {"quantize", "integer_conv2d", "integer_linear", "requantize_add"} <= {n.op.name for n in net.graph.nodes}
    assert not {"conv2d", "linear"} & {n.op.name for n in net.graph.nodes}
    assert (net.preprocess, net.class_names, net.input_shape) == (floats.preprocess, floats.class_names, (3, 8, 8))
    assert net.graph.outputs == floats.graph.outputs
    assert "integers" in net.notes["quantization"]
    assert result.images == 60
    assert result.accuracy is result.float_accuracy is None


def test_its_scores_are_near(result: QuantizeResult) -> None:
    others = np.random.default_rng(9).integers(0, 256, (80, 8, 8, 3), dtype=np.uint8)
    found, expected = answers(result.network, others), small_net().forward(others)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert result.signal_to_noise > 25
    assert result.agreement > 0.9


def test_the_account_names_everything(result: QuantizeResult) -> None:
    text = str(result)
    assert "60 images: " in text
    assert "dB" in text
    assert {row.layer for row in result.sensitivities} == {"batch_norm_1", "conv2d_1", "scores"}
    for row in result.sensitivities:
        assert row.layer in text
        assert row.signal_to_noise > 20
    assert set(result.ranges.values()) <= {"min/max", "99.9 %", "99.99 %", "99.999 %", "least squares"}


def test_it_is_saved_and_loaded(result: QuantizeResult, tmp_path: Path) -> None:
    result.network.save(tmp_path / "int8.safetensors")
    loaded = Network.load(tmp_path / "int8.safetensors")
    np.testing.assert_array_equal(answers(loaded, photographs(20)), answers(result.network, photographs(20)))


def test_the_result_does_not_depend_on_threads() -> None:
    one, two = (cnnfast.quantize(small_net(), photographs(40), threads=threads).network.graph for threads in (1, 2))
    assert one.nodes == two.nodes
    for name, array in one.constants.items():
        np.testing.assert_array_equal(two.constants[name], array)


def test_floats_are_taken_like_pixels() -> None:
    net, pixels = small_net(), photographs(30)
    assert net.preprocess is not None
    floats = net.preprocess(pixels)
    one, two = cnnfast.quantize(net, pixels), cnnfast.quantize(net, floats, layout="nchw")
    assert one.network.graph.nodes == two.network.graph.nodes


def sensitive() -> Network:
    """Return a network in which one layer needs more than eight bits: what counts is a tiny part of its weights."""
    rng = np.random.default_rng(5)
    fine = rng.standard_normal((8, 8, 1, 1)).astype(np.float32)
    fine[:, 0] = 3000.0
    narrow = rng.standard_normal((8, 3, 1, 1)).astype(np.float32)
    narrow[0] *= 1e-3
    return Network.from_layers(
        [
            Conv2d(narrow, name="narrow"),
            Conv2d(fine, rng.standard_normal(8).astype(np.float32), name="fine"),
            Relu(),
            GlobalAvgPool(),
            Flatten(),
            Linear(rng.standard_normal((4, 8)).astype(np.float32), name="scores"),
            Softmax(),
        ],
        (3, 8, 8),
        classes=list("abcd"),
    )


def spread(count: int = 200) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(6)
    images: np.ndarray[Any, Any] = rng.normal(size=(count, 3, 1, 1)) + rng.normal(size=(count, 3, 8, 8))
    return images.astype(np.float32)


def test_with_labels_sensitive_layers_go_back_to_float_until_the_loss_is_small() -> None:
    net, images = sensitive(), spread()
    labels = net.predict(images, layout="nchw")
    free = cnnfast.quantize(net, images, labels, layout="nchw", max_loss=100)
    assert free.float_accuracy == 1
    assert free.accuracy is not None
    assert free.accuracy == free.agreement < 0.99
    strict = cnnfast.quantize(net, images, labels, layout="nchw", max_loss=0)
    assert strict.accuracy == 1
    assert "sensitive" in "".join(strict.in_float.values())
    assert strict.in_float.keys() > free.in_float.keys()
    assert "points lost" in str(strict)
    assert free.sensitivities[0].layer in strict.in_float


def test_layers_that_are_to_stay_in_float_do(result: QuantizeResult) -> None:
    kept = cnnfast.quantize(small_net(), photographs(30), keep_float=["first"])
    assert kept.in_float["batch_norm_1"] == "asked for"
    assert "conv2d" in {n.op.name for n in kept.network.graph.nodes}
    assert "batch_norm_1" not in {row.layer for row in kept.sensitivities}


def test_labels_are_numbers_or_names() -> None:
    net = small_net()
    assert class_numbers(net, ["cat", "dog", "bird"], 3) is not None
    np.testing.assert_array_equal(class_numbers(net, ["cat", "dog", "bird"], 3), [1, 3, 0])
    np.testing.assert_array_equal(class_numbers(net, np.array([2, 0]), 2), [2, 0])
    assert class_numbers(net, None, 3) is None


@pytest.mark.parametrize(
    ("call", "kind", "rule"),
    [
        (lambda n: cnnfast.quantize(n, photographs(0)), InputError, "100 to 500"),
        (lambda n: cnnfast.quantize(n, photographs(4), ["cat"]), InputError, "4 images and 1 labels"),
        (lambda n: cnnfast.quantize(n, photographs(2), ["cat", "cow"]), InputError, "'cow' is not one of"),
        (lambda n: cnnfast.quantize(n, photographs(2), [0, 4]), InputError, "label 4 is not one of"),
        (lambda n: cnnfast.quantize(n, photographs(2), max_loss=-1), ConfigError, "max_loss must be"),
        (
            lambda n: cnnfast.quantize(n, photographs(2), keep_float=["x"]),
            GraphError,
            "no layer 'x'; the layers are ba",
        ),
        (lambda n: cnnfast.quantize(n.graph, photographs(2)), ConfigError, "the network must be a Network"),
        (lambda n: cnnfast.quantize(n, "photographs"), InputError, "images must be"),
    ],
)
def test_what_is_wrong_is_named(call: Any, kind: type[CnnfastError], rule: str) -> None:
    with pytest.raises(kind, match=rule):
        call(small_net())


def test_a_network_of_integers_is_refused(result: QuantizeResult) -> None:
    with pytest.raises(GraphError, match="integers already"):
        cnnfast.quantize(result.network, photographs(2))


def test_a_network_without_a_layer_that_can_is_refused() -> None:
    with pytest.raises(GraphError, match="no layer of this network can compute with integers"):
        cnnfast.quantize(small_net(), photographs(4), keep_float=[row.layer for row in _rows()])


def _rows() -> Any:
    return cnnfast.quantize(small_net(), photographs(4)).sensitivities


@pytest.mark.slow
def test_cs61c_loses_less_than_half_a_point(shared_data: Path) -> None:
    """Measured over 2,000 test images with 200 for calibration: 80.05 % in float, 80.10 % in integers."""
    net = Network.load("cifar10-cs61c")
    quantized = cnnfast.quantize(net, records(shared_data, list(range(0, 40_000, 200)))).network
    images = tiles_of(shared_data, "test_batch")[:500]
    labels = np.fromfile(shared_data / "cifar10" / "test_batch.labels", np.uint8)[:500]
    found = answers(quantized, images).reshape(500, 10).argmax(axis=1)
    expected = net.predict_proba(images).argmax(axis=1)
    assert (found == expected).mean() > 0.975
    assert abs((found == labels).mean() - (expected == labels).mean()) <= 0.01
