"""Optimisers against their formulas in float64, and against torch.optim where PyTorch is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import OPTIMISERS, SGD, Adam, AdamW
from cnnfast.train.optimisers import BLOCK, Optimiser, Pace, clip_gradients

STEPS = 12

SETTINGS: list[Optimiser] = [
    SGD(rate=0.1),
    SGD(rate=0.1, decay=0.05),
    SGD(rate=0.1, momentum=0.9, decay=0.05),
    SGD(rate=0.1, momentum=0.9, nesterov=True, decay=0.05),
    Adam(rate=0.02),
    Adam(rate=0.02, decay=0.05),
    AdamW(rate=0.02, decay=0.3, beta1=0.8, beta2=0.99, eps=1e-3),
]


def start(size: int = 7) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a weight and the gradients of all steps."""
    rng = np.random.default_rng(3)
    return rng.standard_normal(size).astype(np.float32), list(rng.standard_normal((STEPS, size)).astype(np.float32))


def run(optimiser: Optimiser, weight: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    weight = weight.copy()
    slots = {slot: np.zeros_like(weight) for slot in optimiser.slots}
    for step, gradient in enumerate(gradients, 1):
        optimiser.update(weight, gradient.copy(), slots, Pace(step), decays=True)
    return weight


def by_formula(optimiser: Any, weight: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """Return the weight after all steps, computed in float64 as the papers write it."""
    w = weight.astype(np.float64)
    v, m = np.zeros_like(w), np.zeros_like(w)
    for t, gradient in enumerate(gradients, 1):
        g = gradient.astype(np.float64)
        if isinstance(optimiser, SGD):
            g = g + optimiser.decay * w
            v = optimiser.momentum * v + g
            w = w - optimiser.rate * (g + optimiser.momentum * v if optimiser.nesterov else v)
            continue
        if isinstance(optimiser, AdamW):
            w = w - optimiser.rate * optimiser.decay * w
        else:
            g = g + optimiser.decay * w
        m = optimiser.beta1 * m + (1 - optimiser.beta1) * g
        v = optimiser.beta2 * v + (1 - optimiser.beta2) * g**2
        corrected = m / (1 - optimiser.beta1**t), v / (1 - optimiser.beta2**t)
        w = w - optimiser.rate * corrected[0] / (np.sqrt(corrected[1]) + optimiser.eps)
    return w


@pytest.mark.parametrize("optimiser", SETTINGS, ids=repr)
def test_formula(optimiser: Optimiser) -> None:
    weight, gradients = start()
    np.testing.assert_allclose(run(optimiser, weight, gradients), by_formula(optimiser, weight, gradients), rtol=2e-5)


@pytest.mark.parametrize("optimiser", SETTINGS, ids=repr)
def test_torch(optimiser: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weight, gradients = start()
    theirs = torch.nn.Parameter(torch.tensor(weight))
    if isinstance(optimiser, SGD):
        kind, settings = torch.optim.SGD, dict(momentum=optimiser.momentum, nesterov=optimiser.nesterov)
    else:
        kind = torch.optim.AdamW if isinstance(optimiser, AdamW) else torch.optim.Adam
        settings = dict(betas=(optimiser.beta1, optimiser.beta2), eps=optimiser.eps)
    other = kind([theirs], lr=optimiser.rate, weight_decay=optimiser.decay, **settings)
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        other.step()
    np.testing.assert_allclose(run(optimiser, weight, gradients), theirs.detach().numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("optimiser", SETTINGS, ids=repr)
def test_blocks_change_nothing(optimiser: Optimiser) -> None:
    """A weight of several blocks is updated like many small ones."""
    weight, gradients = start(2 * BLOCK + 5)
    whole = run(optimiser, weight, gradients[:3])
    ends = slice(2 * BLOCK - 3, 2 * BLOCK + 5)
    np.testing.assert_array_equal(whole[ends], run(optimiser, weight[ends], [g[ends] for g in gradients[:3]]))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_decay_can_be_left_out(name: str) -> None:
    optimiser = OPTIMISERS[name](decay=0.5)
    weight = np.ones(3, np.float32)
    slots = {slot: np.zeros_like(weight) for slot in optimiser.slots}
    optimiser.update(weight, np.zeros(3, np.float32), slots, Pace(1), decays=False)
    assert weight.tolist() == [1, 1, 1]
    optimiser.update(weight, np.zeros(3, np.float32), slots, Pace(1), decays=True)
    assert (weight < 1).all()


def test_a_schedule_moves_momentum_but_brings_none() -> None:
    gradient, slots = np.ones(1, np.float32), {"velocity": np.ones(1, np.float32)}
    SGD(rate=1, momentum=0.5).update(np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False)
    assert slots["velocity"] == 1.25
    SGD(rate=1).update(np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False)
    assert slots["velocity"] == 1


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "fast", True])
def test_rate_out_of_range(kind: type[SGD], value: Any) -> None:
    with pytest.raises(ConfigError, match=r"rate must be a number above 0"):
        kind(rate=value)


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
