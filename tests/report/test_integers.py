"""Floats next to integers: what is counted, how certain it is, and who is faster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_networks import photographs, small_net

from cnnfast.calibration.certainty import interval
from cnnfast.report.integers import LabelCounts, speeds


def counted(lost: int, gained: int, images: int = 1000) -> LabelCounts:
    """Return counts of images of which half are right in float."""
    labels = np.zeros(images, int)
    floats = np.repeat([0, 1], images // 2)
    integers = floats.copy()
    integers[:lost] = 1
    integers[images // 2 : images // 2 + gained] = 0
    counts = LabelCounts()
    for part in np.array_split(np.arange(images), 3):
        counts.add(labels[part], floats[part], integers[part])
    return counts


def test_every_label_is_counted_once() -> None:
    counts = counted(lost=30, gained=10)
    assert (counts.lost, counts.gained, counts.between_wrong) == (30, 10, 0)
    assert (counts.accuracy, counts.integer_accuracy) == (0.5, 0.48)
    assert counts.agreement == pytest.approx(0.96)
    facts = counts.facts()
    assert facts["changed"] == {"to_wrong": 30, "to_right": 10, "between_wrong": 0}
    assert facts["gain"]["accuracy"] == -0.02
    low, high = facts["accuracy_95"]["integers"]
    assert low < 0.48 < high


def test_a_loss_is_certain_if_many_more_labels_are_lost_than_gained() -> None:
    for lost, gained, is_certain in ((30, 10, True), (12, 10, False), (1, 0, False), (0, 0, False)):
        gain, within = counted(lost, gained).gain
        assert (abs(gain) > within) is is_certain
    assert counted(0, 0, images=20).gain[1] > 0.08, "no change in 20 images says little"


def test_the_true_gain_is_within_what_is_stated_19_times_of_20() -> None:
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(500):
        kinds = rng.choice(3, 2000, p=[0.97, 0.02, 0.01])
        counts = LabelCounts(2000, 1500, int((kinds == 1).sum()), int((kinds == 2).sum()))
        gain, within = counts.gain
        inside += abs(gain - -0.01) <= within
    assert 0.92 < inside / 500 < 0.99


def test_an_interval_holds_shares_that_are_likely() -> None:
    low, high = interval(1.0, 20)
    assert math.isclose(high, 1)
    assert high <= 1
    assert math.isclose(low, 20 / (20 + 1.96**2))
    assert interval(0.0, 20)[0] == 0


def test_speeds_are_of_both_networks_in_batches_and_alone() -> None:
    found = speeds({"float": small_net(), "integers": small_net()}, photographs(5))
    for kind in ("batch", "single"):
        assert found[kind].keys() == {"float", "integers"}
        # one and the same network, in turns
        assert 0.2 < found[kind]["float"] / found[kind]["integers"] < 5
    assert found["batch"]["float"] > found["single"]["float"]
