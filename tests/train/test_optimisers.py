"""Optimisers against their formulas in float64, and against torch.optim where PyTorch is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import OPTIMISERS, SGD, Adam, AdamW, Muon
from cnnfast.train.optimisers import BLOCK, Optimiser, Pace, Role, clip_gradients, orthogonal

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
    muon, rng = Muon(rate=0.1, momentum=0.8, decay=0.5), np.random.default_rng(2)
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
    muon = Muon(last=AdamW(0.03), biases=SGD(5.0, decay=0.1))
    assert muon.part(Role.HIDDEN) == (muon, True)
    assert muon.part(Role.LAST) == (AdamW(0.03), True)
    assert muon.part(Role.VECTOR) == (SGD(5.0, decay=0.1), True)
    assert SGD().part(Role.LAST) == (SGD(), True)
    assert Adam().part(Role.VECTOR) == (Adam(), False)
    assert SGD(biases=SGD(9.0)).part(Role.VECTOR) == (SGD(9.0), True)
    assert AdamW(last=SGD(9.0)).part(Role.LAST) == (SGD(9.0), True)
    with pytest.raises(ConfigError, match="biases must be SGD, Adam or AdamW"):
        SGD(biases=Muon())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="last has an optimiser for the last layer or for biases itself"):
        Adam(last=SGD(biases=SGD()))


def test_muon_on_the_sphere() -> None:
    rng = np.random.default_rng(3)
    weight, slots = rng.standard_normal((9, 4, 3, 3)).astype(np.float32), {"mean": np.zeros((9, 4, 3, 3), np.float32)}
    before, muon = weight.copy(), Muon(rate=1e-6, sphere=True)
    muon.update(weight, rng.standard_normal(weight.shape).astype(np.float32), slots, Pace(1), decays=True)
    np.testing.assert_allclose(weight, before * 3 / np.linalg.norm(before), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_torch_muon() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(4)
    weight, gradients = rng.standard_normal((12, 30)).astype(np.float32), rng.standard_normal((5, 12, 30))
    theirs = torch.nn.Parameter(torch.tensor(weight))
    other = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=True)
    muon, slots = Muon(rate=0.1, momentum=0.9, decay=0.2), {"mean": np.zeros_like(weight)}
    for step, gradient in enumerate(gradients.astype(np.float32), 1):
        theirs.grad = torch.tensor(gradient)
        other.step()
        muon.update(weight, gradient, slots, Pace(step), decays=True)
    # theirs computes in bfloat16
    np.testing.assert_allclose(weight, theirs.detach().numpy(), atol=0.02)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_decay_can_be_left_out(name: str) -> None:
    optimiser = OPTIMISERS[name](decay=0.5)
    weight = np.ones((1, 3), np.float32)
    slots = {slot: np.zeros_like(weight) for slot in optimiser.slots}
    optimiser.update(weight, np.zeros_like(weight), slots, Pace(1), decays=False)
    assert (weight == 1).all()
    optimiser.update(weight, np.zeros_like(weight), slots, Pace(1), decays=True)
    assert (weight < 1).all()


def test_a_schedule_moves_momentum_but_brings_none() -> None:
    gradient, slots = np.ones(1, np.float32), {"velocity": np.ones(1, np.float32)}
    SGD(rate=1, momentum=0.5).update(np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False)
    assert slots["velocity"] == 1.25
    SGD(rate=1).update(np.zeros(1, np.float32), gradient, slots, Pace(1, 1.0, 0.25), decays=False)
    assert slots["velocity"] == 1


@pytest.mark.parametrize("kind", OPTIMISERS.values())
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
