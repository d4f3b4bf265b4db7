"""Which pictures are asked about next."""

from __future__ import annotations

import numpy as np

from cnnfast.learn.choose import distances, next_to_label
from cnnfast.learn.head import cross_validated

RNG = np.random.default_rng(1)


def test_without_labels_each_cluster_is_asked_about() -> None:
    middles = 50 * np.eye(4)
    x = np.concatenate([middle + RNG.normal(size=(25, 4)) for middle in middles])
    chosen = next_to_label(x, np.array([], np.int64), None, 4)
    assert sorted(i // 25 for i in chosen) == [0, 1, 2, 3]


def test_asks_about_the_uncertain_and_never_twice() -> None:
    x = np.linspace(-5, 5, 101)[:, None]
    labeled = np.array([0, 1, 99, 100])
    head = cross_validated(x[labeled], np.array([0, 0, 1, 1])).head
    chosen = next_to_label(x, labeled, head.probabilities(x), 5)
    assert len(set(chosen)) == 5
    assert not set(chosen) & set(labeled.tolist())
    assert abs(float(x[chosen[0], 0])) < 1
    # equal pictures are not asked about twice
    twice = np.repeat(x, 2, axis=0)
    chosen = next_to_label(twice, 2 * labeled, head.probabilities(twice), 5)
    assert len({i // 2 for i in chosen}) == 5


def test_all_that_are_left_are_chosen() -> None:
    x = RNG.normal(size=(6, 2))
    probabilities = np.full((6, 2), 0.5)
    assert sorted(next_to_label(x, np.array([1, 2]), probabilities, 50)) == [0, 3, 4, 5]
    assert next_to_label(x, np.arange(6), probabilities, 5) == []
    same = np.zeros((6, 2))
    assert sorted(next_to_label(same, np.array([1, 2]), probabilities, 50)) == [0, 3, 4, 5]
    assert sorted(next_to_label(same, np.array([], np.int64), None, 50)) == [0, 1, 2, 3, 4, 5]


def test_distances_are_those_of_the_formula() -> None:
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3))
    np.testing.assert_allclose(distances(x, y), ((x[:, None] - y) ** 2).sum(axis=2))
