"""Logistic regression against scikit-learn's, and against what is known of it."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.errors import DataError
from cnnfast.learn.head import Head, accuracy_on, cross_validated, folds_of, heads


def examples(count: int, features: int, classes: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    middles = rng.normal(size=(classes, features))
    labels = np.arange(count) % classes
    return (middles[labels] + noise * rng.normal(size=(count, features))).astype(np.float32), labels


@pytest.mark.parametrize(("count", "features", "classes"), [(60, 4, 2), (90, 8, 3), (12, 40, 3)])
@pytest.mark.parametrize("strength", [0.03, 1.0])
def test_is_what_scikit_learn_finds(count: int, features: int, classes: int, strength: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = examples(count, features, classes)
    (head,) = heads(x, y, [strength])
    scale = float(np.sqrt(((x - x.mean(axis=0)) ** 2).mean()))
    # of two classes theirs has one vector of weights, which is the difference of ours: half of the sum of squares
    theirs = linear_model.LogisticRegression(C=strength if classes > 2 else 2 * strength, tol=1e-8, max_iter=5000)
    theirs.fit((x - x.mean(axis=0)) / scale, y)
    expected = theirs.predict_proba((x - x.mean(axis=0)) / scale)
    np.testing.assert_allclose(head.probabilities(x), expected, atol=2e-3)


def test_the_strength_follows_from_the_examples() -> None:
    easy, hard = cross_validated(*examples(200, 20, 2, 0.1)), cross_validated(*examples(200, 20, 2, 6.0))
    assert easy.accuracy == 1.0
    assert hard.accuracy is not None
    assert hard.accuracy < 0.95
    assert hard.head.strength < easy.head.strength


def test_accuracy_is_of_examples_that_were_not_learned() -> None:
    """Labels by chance can be learned by heart, but not be predicted."""
    rng = np.random.default_rng(3)
    found = cross_validated(rng.normal(size=(200, 100)), rng.integers(0, 2, 200))
    assert found.accuracy is not None
    assert 0.35 < found.accuracy < 0.65


def test_a_class_with_one_example_has_no_cross_validation() -> None:
    found = cross_validated(np.eye(5), np.array([0, 0, 1, 1, 2]))
    assert found.accuracy is None
    assert found.head.probabilities(np.eye(5)).argmax(axis=0).tolist()[2] == 4


def test_heads_can_be_asked_about_other_features() -> None:
    x, y = examples(100, 10, 2, 0.3)
    found = cross_validated(x, y)
    assert accuracy_on(x, x, y, found.head.strength) == found.accuracy
    assert accuracy_on(-x, x, y, found.head.strength) == pytest.approx(0, abs=0.1)


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="at least two classes"):
        cross_validated(np.eye(3), np.zeros(3, np.int64))


def test_constant_features_say_how_frequent_classes_are() -> None:
    (head,) = heads(np.ones((4, 3)), np.array([0, 0, 0, 1]), [1.0])
    np.testing.assert_allclose(head.probabilities(np.ones((1, 3))), [[0.75, 0.25]], atol=1e-3)
    assert isinstance(head, Head)


def test_each_fold_has_a_share_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [10, 5, 7])
    fold = folds_of(labels, 5)
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
