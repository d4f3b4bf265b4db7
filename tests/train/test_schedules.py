"""Schedules by hand, and against torch.optim.lr_scheduler where PyTorch is installed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import SCHEDULES, Constant, Cosine, LinearDecay, OneCycle, StepDecay

STEPS, EPOCHS = 40, 4


def rates(schedule: Any) -> list[float]:
    return [schedule.pace(step, STEPS, EPOCHS).rate for step in range(STEPS)]


def test_constant() -> None:
    assert rates(Constant()) == [1.0] * STEPS


def test_step_decay() -> None:
    assert rates(StepDecay(every=2, factor=0.5)) == [1.0] * 20 + [0.5] * 20


def test_cosine_with_warm_up_and_floor() -> None:
    found = rates(Cosine(warmup=0.25, floor=0.1))
    assert found[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert found[10:] == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * i / 30)) for i in range(30)])


def test_linear_with_warm_up_and_floor() -> None:
    found = rates(LinearDecay(warmup=0.25, floor=0.1, start=0.2))
    assert found[:10] == pytest.approx([0.2 + 0.8 * (i + 1) / 11 for i in range(10)])
    assert found[10:] == pytest.approx([1 - 0.9 * i / 30 for i in range(30)])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_every_schedule_for_any_number_of_steps(name: str, steps: int) -> None:
    paces = [SCHEDULES[name]().pace(step, steps, 1) for step in range(steps)]
    assert [pace.step for pace in paces] == list(range(1, steps + 1))
    assert all(0 <= pace.rate <= 1 for pace in paces)
    assert all(pace.momentum is None or 0.85 <= pace.momentum <= 0.95 for pace in paces)


@pytest.mark.parametrize("kind", ["cosine", "linear", "one-cycle", "step"])
@pytest.mark.filterwarnings("ignore")
def test_torch(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
    ours, theirs = {
        "cosine": (Cosine(), lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)),
        "linear": (LinearDecay(), lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS)),
        "one-cycle": (OneCycle(), lambda: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, STEPS)),
        "step": (StepDecay(1, 0.3), lambda: torch.optim.lr_scheduler.StepLR(optimizer, STEPS // EPOCHS, 0.3)),
    }[kind]
    schedule = theirs()
    for step in range(STEPS):
        pace, group = ours.pace(step, STEPS, EPOCHS), optimizer.param_groups[0]  # type: ignore[attr-defined]
        assert 0.5 * pace.rate == pytest.approx(group["lr"], abs=1e-7)
        assert pace.momentum is None or pace.momentum == pytest.approx(group["momentum"], abs=1e-6)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(
    "make",
    [lambda: Cosine(warmup=1), lambda: LinearDecay(floor=1), lambda: StepDecay(every=0), lambda: OneCycle(peak=1)],
)
def test_out_of_range(make: Any) -> None:
    with pytest.raises(ConfigError, match="must be a number"):
        make()
