"""Thresholds: counts against a loop over images, and the one that reaches a goal."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.calibration.measures import BINS, Reliability
from cnnfast.calibration.thresholds import at, threshold_for
from cnnfast.errors import DataError

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.beta(0.5, 0.5, 500).round(2)
IS_RIGHT = RNG.random(500) < PROBABILITIES


def rates(threshold: float) -> tuple[float, float]:
    pairs = list(zip(PROBABILITIES.tolist(), IS_RIGHT.tolist(), strict=True))
    found = [right for p, right in pairs if p > threshold]
    return sum(found) / max(len(found), 1), sum(found) / sum(right for _, right in pairs)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.93, 1.0])
def test_counts(threshold: float) -> None:
    found = at(threshold, PROBABILITIES, IS_RIGHT)
    precision, recall = rates(threshold)
    assert found.recall == pytest.approx(recall)
    assert found.precision == pytest.approx(precision if found.found else 1.0)
    low, high = found.to_dict()["precision_95"]
    assert low <= found.precision <= high


@pytest.mark.parametrize("least", [0.6, 0.8, 0.9])
def test_precision_is_reached_with_the_lowest_threshold(least: float) -> None:
    chosen = threshold_for("precision", least, PROBABILITIES, IS_RIGHT)
    assert rates(chosen.threshold)[0] >= least
    lower = [t for t in np.unique(PROBABILITIES) - 0.005 if t < chosen.threshold - 0.006]
    assert all(rates(t)[0] < least for t in lower)


@pytest.mark.parametrize("least", [0.5, 0.9, 1.0])
def test_recall_is_reached_with_the_highest_threshold(least: float) -> None:
    chosen = threshold_for("recall", least, PROBABILITIES, IS_RIGHT)
    assert rates(chosen.threshold)[1] >= least
    assert rates(chosen.threshold + 0.011)[1] < least


def test_goals_that_cannot_be_reached_are_refused() -> None:
    wrong = np.array([True, False, True])
    with pytest.raises(DataError, match=r"no threshold has a precision of 0.9 .* the best is 0.6667"):
        threshold_for("precision", 0.9, np.array([0.5, 0.5, 0.5]), wrong)
    with pytest.raises(DataError, match="none of these images"):
        threshold_for("recall", 0.9, np.array([0.5]), np.array([False]))


def test_calibration_error_and_likelihood_are_those_of_a_loop_over_images() -> None:
    rows = RNG.dirichlet(np.ones(4) * 0.4, 800)
    labels = np.array([RNG.choice(4, p=row) for row in rows])
    found = Reliability()
    for part in (slice(0, 300), slice(300, 800)):
        found.add(labels[part], rows[part])
    total = 0.0
    for b in range(BINS):
        inside = [i for i in range(800) if b / BINS < rows[i].max() <= (b + 1) / BINS]
        if inside:
            right = sum(rows[i].argmax() == labels[i] for i in inside) / len(inside)
            total += len(inside) / 800 * abs(right - sum(rows[i].max() for i in inside) / len(inside))
    assert found.calibration_error == pytest.approx(total)
    losses = [-np.log(max(rows[i, labels[i]], np.finfo(np.float32).tiny)) for i in range(800)]
    assert found.negative_log_likelihood == pytest.approx(np.mean(losses))
    assert sum(row["images"] for row in found.rows()) == found.images == 800
