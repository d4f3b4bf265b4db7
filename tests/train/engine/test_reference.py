"""The slow engine against central differences of the loss, and what all engines promise about their arguments."""

from __future__ import annotations

import numpy as np
import pytest
from train.nets import CLASSES, NETS, batch, net

from cnnfast.errors import ConfigError, GraphError, InputError
from cnnfast.layers import Flatten, Linear, build_graph
from cnnfast.train.engine.base import active_values
from cnnfast.train.engine.reference import ReferenceEngine
from cnnfast.train.losses import LOSSES, Loss, MeanSquaredError, SigmoidBinaryCrossEntropy, SoftmaxCrossEntropy

STEP = 2e-3
"""Parameters are float32, so a small step drowns in rounding."""


def loss_along(engine: ReferenceEngine, name: str, v: np.ndarray, amount: float) -> float:
    before = engine.parameters[name].copy()
    engine.parameters[name] += (amount * v).astype(np.float32)
    x, labels = batch(6)
    loss, _ = engine.step(x, labels, 3)
    engine.parameters[name][...] = before
    return loss


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    engine = ReferenceEngine(net(name), SoftmaxCrossEntropy(0.1), batch=6, momentum=0.0)
    x, labels = batch(6)
    engine.step(x, labels, 3)
    grads = {name: grad.astype(np.float64) for name, grad in engine.gradients.items()}
    rng = np.random.default_rng(4)
    for parameter, grad in grads.items():
        v = rng.standard_normal(grad.shape)
        v /= np.sqrt((v**2).sum())
        ends = [loss_along(engine, parameter, v, sign * STEP) for sign in (1, -1)]
        assert abs((grad * v).sum() - (ends[0] - ends[1]) / (2 * STEP)) < 2e-2 * np.sqrt((grad**2).sum()) + 1e-5, (
            parameter
        )


@pytest.mark.parametrize("loss", [cls() for cls in LOSSES.values()], ids=lambda loss: loss.name)
def test_losses_against_differences(loss: Loss) -> None:
    rng = np.random.default_rng(0)
    scores, targets = rng.standard_normal((5, 3)), rng.uniform(0, 1, (5, 3))
    grad = loss.gradient(scores, targets)
    for index in np.ndindex(scores.shape):
        moved = [scores.copy(), scores.copy()]
        moved[0][index] += 1e-5
        moved[1][index] -= 1e-5
        expected = (loss.value(moved[0], targets).sum() - loss.value(moved[1], targets).sum()) / 2e-5
        assert abs(grad[index] - expected) < 1e-8


def test_losses_against_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is only needed as a second opinion")
    rng = np.random.default_rng(0)
    scores, values, labels = rng.standard_normal((5, 3)), rng.uniform(0, 1, (5, 3)), rng.integers(0, 3, 5)
    cross = SoftmaxCrossEntropy(0.1)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(scores), torch.tensor(labels), label_smoothing=0.1)
    assert cross.value(scores, cross.targets(labels, 3)).mean() == pytest.approx(float(theirs))
    both = torch.tensor(scores), torch.tensor(values)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(*both, reduction="none").sum(1).numpy()
    np.testing.assert_allclose(SigmoidBinaryCrossEntropy().value(scores, values), theirs)
    theirs = torch.nn.functional.mse_loss(*both).item()
    assert MeanSquaredError().value(scores, values).mean() == pytest.approx(theirs)


def test_running_averages_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is only needed as a second opinion")
    engine = ReferenceEngine(net("norms"), SoftmaxCrossEntropy(), batch=8)
    start = {name: array.copy() for name, array in engine.parameters.items()}
    x, labels = batch(8)
    engine.step(x, labels, 0)
    conv = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(start["conv2d_1.weight"]), padding=1)
    mean, var = (torch.tensor(start[f"batch_norm_1.{part}"]) for part in ("mean", "var"))
    torch.nn.functional.batch_norm(conv, mean, var, training=True, momentum=0.1)
    np.testing.assert_allclose(engine.parameters["batch_norm_1.mean"], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(engine.parameters["batch_norm_1.var"], var, rtol=1e-4, atol=1e-6)


def test_frozen_layers() -> None:
    """Frozen parameters have no gradient, and a frozen batch-norm predicts."""
    graph = net("norms")
    engine = ReferenceEngine(graph, SoftmaxCrossEntropy(), batch=4, trainable=["linear_2.weight", "linear_2.bias"])
    before = engine.parameters["batch_norm_1.mean"].copy()
    engine.step(*batch(4), 0)
    assert set(engine.gradients) == {"linear_2.weight", "linear_2.bias"}
    np.testing.assert_array_equal(engine.parameters["batch_norm_1.mean"], before)
    assert "relu_1" not in active_values(graph, engine.trainable)


def test_scores_stop_before_the_softmax_and_the_trained_graph_has_it() -> None:
    engine = ReferenceEngine(net("dropouts"), SoftmaxCrossEntropy(), batch=4)
    assert engine.graph.outputs == ("linear_2",)
    assert engine.trained_graph().outputs == net("dropouts").outputs
    assert engine.classes == CLASSES


def linear() -> ReferenceEngine:
    graph = build_graph([Flatten(), Linear(np.ones((4, 432)), np.zeros(4))], (3, 12, 12))
    return ReferenceEngine(graph, SoftmaxCrossEntropy(), batch=4)


def test_arguments_are_checked() -> None:
    engine = linear()
    x, labels = batch(4)
    with pytest.raises(InputError, match="1 to 4 images"):
        engine.step(np.zeros((5, 3, 12, 12), np.float32), labels, 0)
    with pytest.raises(InputError, match="not float64"):
        engine.step(x.astype(np.float64), labels, 0)
    with pytest.raises(InputError, match="label 4 of image 1 is not a class"):
        engine.step(x, np.array([0, 4, 0, 0]), 0)
    with pytest.raises(InputError, match="4 images but 3 targets"):
        engine.step(x, labels[:3], 0)
    with pytest.raises(GraphError, match="'conv' is not a parameter"):
        ReferenceEngine(engine.graph, SoftmaxCrossEntropy(), 4, trainable=["conv"])
    with pytest.raises(ConfigError, match="nothing is left to train"):
        ReferenceEngine(engine.graph, SoftmaxCrossEntropy(), 4, trainable=[])
    with pytest.raises(ConfigError, match="batch must be"):
        ReferenceEngine(engine.graph, SoftmaxCrossEntropy(), 0)


def test_bytes_become_values() -> None:
    graph = linear().graph
    pixels = (np.full(3, 0.5, np.float32), np.full(3, -1, np.float32))
    engine = ReferenceEngine(graph, SoftmaxCrossEntropy(), 4, pixels=pixels)
    x, labels = np.random.default_rng(0).integers(0, 256, (4, 3, 12, 12), np.uint8), np.arange(4)
    by_bytes = engine.step(x, labels, 0)[1]
    np.testing.assert_allclose(by_bytes, engine.step(x.astype(np.float32) * 0.5 - 1, labels, 0)[1])
