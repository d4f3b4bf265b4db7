"""Optimizers against their formulas in float64, and against torch.optim where PyTorch is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import OPTIMIZERS, SGD, Adam, AdamW, Muon
from cnnfast.train.optimizers import Optimizer, Pace, Role, clip_gradients
from cnnfast.train.optimizers.base import BLOCK
from cnnfast.train.optimizers.muon import orthogonal

STEPS = 12

SETTINGS: list[Optimizer] = [
    SGD(learning_rate=0.1),
    SGD(learning_rate=0.1, weight_decay=0.05),
    SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.05),
    SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
    Adam(learning_rate=0.02),
    Adam(learning_rate=0.02, weight_decay=0.05),
    AdamW(learning_rate=0.02, weight_decay=0.3, beta1=0.8, beta2=0.99, eps=1e-3),
]


def start(size: int = 7) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a weight and the gradients of all steps."""
    rng = np.random.default_rng(3)
    return rng.standard_normal(size).astype(np.float32), list(rng.standard_normal((STEPS, size)).astype(np.float32))


def run(optimizer: Optimizer, weight: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    weight = weight.copy()
    slots = {slot: np.zeros_like(weight) for slot in optimizer.slots}
    for step, gradient in enumerate(gradients, 1):
        optimizer.update(weight, gradient.copy(), slots, Pace(step), decays=True)
    return weight


def by_formula(optimizer: Any, weight: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """Return the weight after all steps, computed in float64 as the papers write it."""
    w = weight.astype(np.float64)
    v, m = np.zeros_like(w), np.zeros_like(w)
    for t, gradient in enumerate(gradients, 1):
        g = gradient.astype(np.float64)
        if isinstance(optimizer, SGD):
            g = g + optimizer.weight_decay * w
            v = optimizer.momentum * v + g
            w = w - optimizer.learning_rate * (g + optimizer.momentum * v if optimizer.nesterov else v)
            continue
        if isinstance(optimizer, AdamW):
            w = w - optimizer.learning_rate * optimizer.weight_decay * w
        else:
            g = g + optimizer.weight_decay * w
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g**2
        corrected = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
        w = w - optimizer.learning_rate * corrected[0] / (np.sqrt(corrected[1]) + optimizer.eps)
    return w


@pytest.mark.parametrize("optimizer", SETTINGS, ids=repr)
def test_formula(optimizer: Optimizer) -> None:
    weight, gradients = start()
    np.testing.assert_allclose(run(optimizer, weight, gradients), by_formula(optimizer, weight, gradients), rtol=2e-5)


@pytest.mark.parametrize("optimizer", SETTINGS, ids=repr)
def test_torch(optimizer: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weight, gradients = start()
    theirs = torch.nn.Parameter(torch.tensor(weight))
    if isinstance(optimizer, SGD):
        kind, settings = torch.optim.SGD, dict(momentum=optimizer.momentum, nesterov=optimizer.nesterov)
    else:
        kind = torch.optim.AdamW if isinstance(optimizer, AdamW) else torch.optim.Adam
        settings = dict(betas=(optimizer.beta1, optimizer.beta2), eps=optimizer.eps)
    other = kind([theirs], lr=optimizer.learning_rate, weight_decay=optimizer.weight_decay, **settings)
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        other.step()
    np.testing.assert_allclose(run(optimizer, weight, gradients), theirs.detach().numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", SETTINGS, ids=repr)
def test_blocks_change_nothing(optimizer: Optimizer) -> None:
    """A weight of several blocks is updated like many small ones."""
    weight, gradients = start(2 * BLOCK + 5)
    whole = run(optimizer, weight, gradients[:3])
    ends = slice(2 * BLOCK - 3, 2 * BLOCK + 5)
    np.testing.assert_array_equal(whole[ends], run(optimizer, weight[ends], [g[ends] for g in gradients[:3]]))


SHAPES = [(8, 3, 3, 3), (20, 4, 1, 1), (16, 16), (5, 1, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_is_nearly_so(shape: tuple[int, ...]) -> None:
    """The directions are those of the singular value decomposition, their lengths all about 1."""
    matrix = np.random.default_rng(1).standard_normal((shape[0], np.prod(shape[1:]))).astype(np.float32)
    u, _, vt = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    lengths = u.T @ orthogonal(matrix) @ vt.T
    assert 0.65 < np.diag(lengths).min() <= np.diag(lengths).max() < 1.25
    assert np.abs(lengths - np.diag(np.diag(lengths))).max() < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_muon_formula(shape: tuple[int, ...]) -> None:
    """All but the orthogonal direction itself, in float64."""
    muon, rng = Muon(learning_rate=0.1, momentum=0.8, weight_decay=0.5), np.random.default_rng(2)
    weight = rng.standard_normal(shape).astype(np.float32)
    gradients = rng.standard_normal((3, *shape)).astype(np.float32)
    w, m = weight.astype(np.float64), np.zeros(shape)
    slots = {slot: np.zeros_like(weight) for slot in muon.slots}
    columns = int(np.prod(shape[1:]))
    for step, gradient in enumerate(gradients, 1):
        muon.update(weight, gradient, slots, Pace(step, 0.5), decays=True)
        m = 0.8 * m + gradient
        direction = orthogonal((gradient + 0.8 * m).reshape(shape[0], columns).astype(np.float32)).reshape(shape)
        w = w * (1 - 0.05 * 0.5) - 0.05 * max(1, shape[0] / columns) ** 0.5 * direction
    np.testing.assert_allclose(weight, w, rtol=1e-4, atol=1e-5)


def test_companions() -> None:
    muon = Muon(head_optimizer=AdamW(0.03), bias_optimizer=SGD(5.0, weight_decay=0.1))
    assert muon.part(Role.HIDDEN) == (muon, True)
    assert muon.part(Role.LAST) == (AdamW(0.03), True)
    assert muon.part(Role.VECTOR) == (SGD(5.0, weight_decay=0.1), True)
    assert SGD().part(Role.LAST) == (SGD(), True)
    assert Adam().part(Role.VECTOR) == (Adam(), False)
    assert SGD(bias_optimizer=SGD(9.0)).part(Role.VECTOR) == (SGD(9.0), True)
    assert AdamW(head_optimizer=SGD(9.0)).part(Role.LAST) == (SGD(9.0), True)
    with pytest.raises(ConfigError, match="bias_optimizer must be SGD, Adam or AdamW"):
        SGD(bias_optimizer=Muon())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="head_optimizer has an optimizer for the last layer or for biases itself"):
        Adam(head_optimizer=SGD(bias_optimizer=SGD()))


def test_muon_on_the_sphere() -> None:
    rng = np.random.default_rng(3)
    weight, slots = rng.standard_normal((9, 4, 3, 3)).astype(np.float32), {"mean": np.zeros((9, 4, 3, 3), np.float32)}
    before, muon = weight.copy(), Muon(learning_rate=1e-6, sphere=True)
    muon.update(weight, rng.standard_normal(weight.shape).astype(np.float32), slots, Pace(1), decays=True)
    np.testing.assert_allclose(weight, before * 3 / np.linalg.norm(before), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_torch_muon() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(4)
    weight, gradients = rng.standard_normal((12, 30)).astype(np.float32), rng.standard_normal((5, 12, 30))
    theirs = torch.nn.Parameter(torch.tensor(weight))
    other = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=True)
    muon, slots = Muon(learning_rate=0.1, momentum=0.9, weight_decay=0.2), {"mean": np.zeros_like(weight)}
    for step, gradient in enumerate(gradients.astype(np.float32), 1):
        theirs.grad = torch.tensor(gradient)
        other.step()
        muon.update(weight, gradient, slots, Pace(step), decays=True)
    # theirs computes in bfloat16
    np.testing.assert_allclose(weight, theirs.detach().numpy(), atol=0.02)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_can_be_left_out(name: str) -> None:
    optimizer = OPTIMIZERS[name](weight_decay=0.5)
    weight = np.ones((1, 3), np.float32)
    slots = {slot: np.zeros_like(weight) for slot in optimizer.slots}
    optimizer.update(weight, np.zeros_like(weight), slots, Pace(1), decays=False)
    assert (weight == 1).all()
    optimizer.update(weight, np.zeros_like(weight), slots, Pace(1), decays=True)
    assert (weight < 1).all()


def test_a_schedule_moves_momentum_but_brings_none() -> None:
    gradient, slots = np.ones(1, np.float32), {"velocity": np.ones(1, np.float32)}
    SGD(learning_rate=1, momentum=0.5).update(
        np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False
    )
    assert slots["velocity"] == 1.25
    SGD(learning_rate=1).update(np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False)
    assert slots["velocity"] == 1


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "fast", True])
def test_rate_out_of_range(kind: type[SGD], value: Any) -> None:
    with pytest.raises(ConfigError, match=r"rate must be a number above 0"):
        kind(learning_rate=value)


def test_momentum_below_one() -> None:
    with pytest.raises(ConfigError, match=r"momentum must be a number from 0 and below 1, but is 1"):
        SGD(momentum=1)


def test_clipping_keeps_the_direction() -> None:
    rng = np.random.default_rng(0)
    gradients = {name: rng.standard_normal(5).astype(np.float32) for name in "ab"}
    before = {name: g.astype(np.float64) for name, g in gradients.items()}
    norm = np.sqrt(sum((g**2).sum() for g in before.values()))
    assert clip_gradients(gradients, 100.0) == pytest.approx(norm)
    assert all((gradients[n] == before[n]).all() for n in "ab")
    clip_gradients(gradients, 0.5)
    for name in "ab":
        np.testing.assert_allclose(gradients[name], before[name] * 0.5 / norm, rtol=1e-6)
