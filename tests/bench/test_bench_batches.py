"""The benchmark of batches: what it measures, and what it says about it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    module = importlib.import_module("bench_batches")
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    return module


def test_each_number_of_images_has_the_time_of_the_choice_and_of_the_best(batches: ModuleType) -> None:
    rows = batches.measure(batches.network_named("n2"), threads=2, most=18, seconds=0)
    assert [row["images"] for row in rows] == list(range(1, 19))
    assert all(row["chosen"] > 0 and row["best"] > 0 for row in rows)


def test_a_cliff_is_seen(batches: ModuleType) -> None:
    rows = [{"images": 1, "chosen": 10.0, "best": 9.0}, {"images": 2, "chosen": 30.0, "best": 15.0}]
    rows.append({"images": 3, "chosen": 20.0, "best": 20.0})
    assert batches.verdict(rows) == {"worst_to_larger": 1.5, "worst_to_best": 2.0}


def test_batches_after_others_are_compared_with_the_first(batches: ModuleType) -> None:
    assert batches.after_other_sizes(batches.network_named("n2"), threads=1, most=20) >= 1
