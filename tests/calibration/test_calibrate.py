"""`cnnfast.calibrate`: what it finds, what it changes, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import photographs, small_net

import cnnfast
from cnnfast import Network
from cnnfast.calibration import Recognizer
from cnnfast.calibration.api import temperature_of, uncalibrated
from cnnfast.calibration.fits import fit_temperature, fit_vector
from cnnfast.calibration.likelihood import losses_of, probabilities_of
from cnnfast.calibration.measures import Reliability
from cnnfast.errors import ConfigError, DataError, InputError, UnsupportedError
from cnnfast.layers import Conv2d, Flatten, GlobalAvgPool, Linear, Relu, Reshape, Sigmoid, Softmax

RNG = np.random.default_rng(3)


def drawn(scores: np.ndarray) -> np.ndarray:
    """Return labels that have the probabilities which a softmax makes of scores."""
    return (scores + np.random.default_rng(5).gumbel(size=scores.shape)).argmax(axis=1)


def rows(count: int = 3000, features: int = 6) -> np.ndarray:
    return RNG.normal(size=(count, features)).astype(np.float32)


def dense(outputs: int, *end: object, scale: float = 3.0) -> Network:
    weight = np.random.default_rng(1).normal(size=(outputs, 6)) * scale
    return Network.from_layers([Linear(weight, np.arange(outputs) / 10.0), *end], input_shape=(6,))


def error(net: Network, x: np.ndarray, labels: np.ndarray) -> float:
    found = Reliability()
    found.add(labels, net.predict_proba(x))
    return found.calibration_error


@pytest.mark.parametrize("end", [(), (Softmax(),)], ids=["scores", "softmax"])
def test_the_temperature_that_spoiled_the_scores_is_found_and_folded(end: tuple[object, ...]) -> None:
    x, net = rows(), dense(4, *end)
    labels = drawn(0.25 * (x @ net.graph.constants[net.graph.nodes[0].inputs[1]].T + np.arange(4) / 10))
    result = cnnfast.calibrate(net, x, labels)
    assert result.temperature == pytest.approx(4.0, rel=0.1)
    assert next(node.op for node in result.network.graph.nodes) == net.graph.nodes[0].op
    assert len(result.network.graph.nodes) == 2  # the dense layer and the softmax: nothing is computed besides
    assert (result.network.predict(x) == net.predict(x)).all()
    assert result.changed == 0
    assert error(net, x, labels) > 0.1 > 0.03 > error(result.network, x, labels)
    assert temperature_of(result.network) == result.temperature
    assert "temperature" in result.network.notes["calibration"]


def test_calibrating_twice_changes_nothing_more_and_the_notes_hold_the_product() -> None:
    x, net = rows(), dense(4)
    labels = drawn(0.25 * net.forward(x).astype(float))
    once = cnnfast.calibrate(net, x, labels, method="temperature")
    twice = cnnfast.calibrate(once.network, x, labels, method="temperature")
    # the first time T was drawn to 1 by as much as one of 3,000 images, so a little is left to do
    assert twice.temperature == pytest.approx(1.0, abs=5e-3)
    assert temperature_of(twice.network) == pytest.approx(once.temperature * twice.temperature, rel=1e-6)
    np.testing.assert_allclose(uncalibrated(twice.network).forward(x), net.predict_proba(x), rtol=1e-3, atol=1e-6)


def test_a_half_is_undone_exactly() -> None:
    net = dense(3)
    weight, bias = net.graph.nodes[0].inputs[1:]
    halved = Network.from_layers(
        [Linear(2 * net.graph.constants[weight], 2 * net.graph.constants[bias])],
        input_shape=(6,),
        notes={"temperature": "0.5"},
    )
    back = uncalibrated(halved).graph
    assert (back.constants[back.nodes[0].inputs[1]] == net.graph.constants[weight]).all()


def test_classes_with_scales_of_their_own_get_vector_scaling() -> None:
    x, net = rows(12000), dense(3, scale=1.0)
    scores = net.forward(x).astype(float)
    labels = drawn(scores * [0.3, 2.0, 1.0] + [1.0, -1.0, 0.0])
    result = cnnfast.calibrate(net, x, labels)
    assert result.scaling.method == "vector"
    assert result.temperature is None
    # adding the same to all shifts changes nothing, so they are compared by their differences
    np.testing.assert_allclose(result.scaling.factor, [0.3, 2.0, 1.0], atol=0.15)
    np.testing.assert_allclose(np.diff(result.scaling.shift), [-2.0, 1.0], atol=0.2)
    one = cnnfast.calibrate(net, x, labels, method="temperature")
    assert result.after.negative_log_likelihood < one.after.negative_log_likelihood
    kept = probabilities_of(result.scaling(scores), "softmax")
    np.testing.assert_allclose(result.network.predict_proba(x), kept, atol=1e-5)
    assert result.changed == (result.network.predict(x) != net.predict(x)).sum() > 0


@pytest.mark.parametrize("end", [(), (Sigmoid(),)], ids=["score", "sigmoid"])
@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_a_single_output(end: tuple[object, ...], method: str) -> None:
    x, net = rows(), dense(1, *end)
    score = x @ net.graph.constants[net.graph.nodes[0].inputs[1]].T
    labels = (0.3 * score[:, 0] + RNG.logistic(size=len(x)) > 0).astype(int)
    result = cnnfast.calibrate(net, x, labels, method=method)
    assert result.scaling.factor[0] == pytest.approx(0.3, rel=0.1)
    assert error(result.network, x, labels) < 0.03 < error(net, x, labels)
    if method == "temperature":
        assert (result.network.predict(x) == net.predict(x)).all()


def test_several_sigmoids() -> None:
    x, net = rows(), dense(3, Sigmoid())
    scores = x @ net.graph.constants[net.graph.nodes[0].inputs[1]].T
    labels = drawn(0.3 * scores)
    result = cnnfast.calibrate(net, x, labels)
    # each sigmoid is a question of its own, so those for the other classes count, too
    before = losses_of(scores + np.arange(3) / 10, labels, "sigmoid").mean()
    assert losses_of(result.scaling(scores + np.arange(3) / 10), labels, "sigmoid").mean() < before
    assert result.network.graph.nodes[-1].op == net.graph.nodes[-1].op


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2d(RNG.normal(size=(4, 3, 1, 1)), np.zeros(4)), GlobalAvgPool(), Flatten()],
        [Conv2d(RNG.normal(size=(4, 3, 8, 8)), np.ones(4)), Flatten(), Softmax()],
        [Flatten(), Linear(RNG.normal(size=(4, 192))), Relu()],
        [Flatten(), Linear(RNG.normal(size=(4, 192))), Reshape((4, 1, 1)), Softmax(1)],
    ],
    ids=["pool", "convolution", "relu", "reshape"],
)
@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_ends_of_other_kinds_compute_what_the_formula_says(layers: list[object], method: str) -> None:
    net = Network.from_layers(layers, input_shape=(3, 8, 8))
    x = RNG.normal(size=(600, 3, 8, 8)).astype(np.float32)
    before = net.predict_proba(x, layout="nchw")
    labels = drawn(np.log(before.astype(float) + 1e-30) * 0.5)
    result = cnnfast.calibrate(net, x, labels, method=method, layout="nchw")
    expected = probabilities_of(result.scaling(np.log(before.astype(float) + 1e-300)), "softmax")
    if method == "temperature":
        np.testing.assert_allclose(result.network.predict_proba(x, layout="nchw"), expected, atol=1e-5)
    assert result.after.images == 600


def test_a_network_of_integers_keeps_its_labels() -> None:
    net = cnnfast.quantize(small_net(), photographs(60)).network
    x = np.random.default_rng(9).integers(0, 256, (400, 8, 8, 3), dtype=np.uint8)
    labels = drawn(np.log(net.predict_proba(x).astype(float)) * 3)
    result = cnnfast.calibrate(net, x, labels, method="temperature")
    logarithms = np.log(net.predict_proba(x).astype(float))  # the scores, but for a number that all classes share
    expected = fit_temperature(logarithms, labels, "softmax").temperature
    assert 1 != result.temperature == pytest.approx(expected, rel=1e-3)
    sharper = probabilities_of(logarithms / expected, "softmax")
    np.testing.assert_allclose(result.network.predict_proba(x), sharper, atol=1e-4)
    assert len(result.network.graph.nodes) == len(ending_nodes(net))
    assert (result.network.predict(x) == net.predict(x)).all()


def ending_nodes(net: Network) -> tuple[object, ...]:
    from cnnfast.graph.answers import with_probabilities

    return with_probabilities(net.graph).nodes


def test_few_images_that_are_all_right_do_not_make_every_probability_one() -> None:
    x, net = rows(12), dense(3)
    result = cnnfast.calibrate(net, x, net.predict(x))
    assert 0.01 < result.temperature < 100


def test_what_cannot_be_calibrated_is_refused() -> None:
    x, net = rows(300), dense(3)
    with pytest.raises(DataError, match="say nothing about the labels"):
        cnnfast.calibrate(net, x, net.forward(x).argmin(axis=1))
    with pytest.raises(InputError, match="a label for each image"):
        cnnfast.calibrate(net, x, [0, 1])
    with pytest.raises(InputError, match="is not one of this network's"):
        cnnfast.calibrate(net, x, [7] * 300)
    with pytest.raises(InputError, match="calibration needs labeled images"):
        cnnfast.calibrate(net, x[:0], [])
    with pytest.raises(ConfigError, match="method"):
        cnnfast.calibrate(net, x, net.predict(x), method="platt")
    four = Network.from_layers([Linear(np.eye(8)), Reshape((4, 2)), Softmax(2)], input_shape=(8,))
    with pytest.raises(UnsupportedError, match="a single answer"):
        cnnfast.calibrate(four, np.zeros((3, 8), np.float32), [0, 1, 0])


def test_fits_are_where_the_slope_vanishes() -> None:
    scores = RNG.normal(size=(500, 4)) * 2
    labels = drawn(0.5 * scores)
    best = fit_temperature(scores, labels, "softmax")
    loss = losses_of(best(scores), labels, "softmax").mean()
    for factor in (0.9, 1.1):
        assert losses_of(best(scores) * factor, labels, "softmax").mean() > loss
    vector = fit_vector(scores, labels, "softmax")
    assert losses_of(vector(scores), labels, "softmax").mean() < loss + 1e-4


def test_recognizer_gives_the_probabilities_of_the_network_bit_by_bit() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (37, 32, 32, 3), dtype=np.uint8)
    for name in ("cifar10-cs61c", "cifar10-cs61c-int8", "cifar10-lenet"):
        net = Network.load(name)
        found, familiarity = Recognizer(net, 0.0).recognize(pixels)
        assert (found == net.predict_proba(pixels)).all()
        assert familiarity.shape == (37,)
    x = rows(9)
    for net in (dense(1), dense(1, Sigmoid()), dense(3)):
        assert (Recognizer(net, 0.0).recognize(x)[0] == net.predict_proba(x)).all()


def test_known_images_stay_known_and_the_file_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    x, net = rows(), dense(4)
    result = cnnfast.calibrate(net, x, drawn(0.25 * net.forward(x).astype(float)))
    result.network.save(tmp_path / "net.safetensors")
    loaded = Network.load(tmp_path / "net.safetensors")
    familiarity = Recognizer(loaded).recognize(x)[1]
    assert (familiarity > Recognizer(loaded).known_above).mean() == pytest.approx(0.95, abs=0.002)
    with pytest.raises(ConfigError, match="cnnfast calibrate"):
        Recognizer(net)
