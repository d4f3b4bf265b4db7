"""A head for known features: logistic regression, its regularization chosen by cross-validation.

The loss is the sum of cross-entropies plus ``|W|^2 / (2 C)``; it is convex, so there is one best head, and it is found
by L-BFGS (Nocedal 1980) in float64. Nothing depends on a seed or on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.calibration.minimum import smallest
from cnnfast.errors import DataError
from cnnfast.ops import Array

STRENGTHS = tuple(10.0 ** (e / 2) for e in range(-10, 5))
"""The values of C that are tried: from very strong regularization to almost none."""

FOLDS = 5

MAX_STEPS, SMALL = 300, 1e-4
"""Of L-BFGS: steps at most, and the gradient, as a part of the first one, at which it ends."""


@frozen(eq=False)
class Head:
    """What turns features into scores: ``features @ weight.T + bias``, for features as they are.

    Attributes
    ----------
    weight, bias : float64 arrays (K, F), (K,)
    strength : float
        C of the regularization.
    """

    weight: Array
    bias: Array
    strength: float

    def probabilities(self, features: Array) -> Array:
        """Return the probability of each class, float64 (N, K)."""
        return softmax(features.astype(np.float64) @ self.weight.T + self.bias)


@frozen(eq=False)
class CrossValidated:
    """A head that learned from all examples, and how well heads did that learned without those they were asked about.

    Attributes
    ----------
    head : Head
    accuracy : float or None
        Share of the examples that are put into their class by heads that did not learn from them; None where a class
        has a single example, so that none can be set aside.
    probabilities : float64 array (N, K), or None
        What those heads say about each example.
    """

    head: Head
    accuracy: float | None
    probabilities: Array | None


def cross_validated(features: Array, labels: Array, strengths: Sequence[float] = STRENGTHS) -> CrossValidated:
    """Fit a head with the strength of regularization that does best in cross-validation.

    Parameters
    ----------
    features : float array (N, F)
    labels : int array (N,)
        Each class from 0 to K - 1 at least once.
    strengths : sequence of float
        Values of C.

    Raises
    ------
    DataError
        If there are fewer than two classes.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [0.2], [0.9], [1.0], [1.1]])
    >>> found = cross_validated(x, np.array([0, 0, 0, 1, 1, 1]))
    >>> found.accuracy, found.head.probabilities(x).argmax(axis=1).tolist()
    (1.0, [0, 0, 0, 1, 1, 1])
    """
    counts = np.bincount(labels)
    if len(counts) < 2:
        raise DataError("all examples are of one class; a head learns to tell at least two classes apart")
    folds = min(FOLDS, int(counts.min()))
    if folds < 2:
        middle = strengths[len(strengths) // 2]
        return CrossValidated(next(heads(features, labels, [middle])), None, None)
    fold = folds_of(labels, folds)
    outside = np.zeros((len(strengths), len(labels), len(counts)))
    for number in range(folds):
        inside = fold != number
        for probabilities, head in zip(outside, heads(features[inside], labels[inside], strengths), strict=True):
            probabilities[~inside] = head.probabilities(features[~inside])
    given = outside[:, np.arange(len(labels)), labels]
    # the loss decides, not the accuracy: with few examples many strengths are equally often right
    best = int(np.log(np.maximum(given, 1e-12)).sum(axis=1).argmax())
    (head,) = heads(features, labels, [strengths[best]])
    accuracy = float((outside[best].argmax(axis=1) == labels).mean())
    return CrossValidated(head, accuracy, outside[best])


def accuracy_on(asked: Array, features: Array, labels: Array, strength: float) -> float | None:
    """Return how often heads are right that are asked about other features of examples that they did not learn from.

    Parameters
    ----------
    asked : float array (N, F)
        Such as those of whole pictures, where heads learn from the mean over many views.
    features, labels
        As for `cross_validated`.
    strength : float
        C of the regularization.
    """
    folds = min(FOLDS, int(np.bincount(labels).min()))
    if folds < 2:
        return None
    fold, right = folds_of(labels, folds), 0
    for number in range(folds):
        inside = fold != number
        (head,) = heads(features[inside], labels[inside], [strength])
        right += int((head.probabilities(asked[~inside]).argmax(axis=1) == labels[~inside]).sum())
    return right / len(labels)


def folds_of(labels: Array, folds: int) -> Array:
    """Return the number of the fold of each example; each class is spread evenly over all folds.

    Examples
    --------
    >>> folds_of(np.array([0, 0, 1, 1, 0, 0]), 2).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    fold = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        fold[members] = np.arange(len(members)) % folds
    return fold


def heads(features: Array, labels: Array, strengths: Sequence[float]) -> Iterator[Head]:
    """Yield the best head for each strength of regularization, each found from the one before."""
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    # one scale for all features: dividing each by its own deviation would make the rarely used ones loud
    scale = max(float(np.sqrt(((x - mean) ** 2).mean())), 1e-12)
    x = (x - mean) / scale
    # the best weights are sums of examples, so a few examples need only as many directions
    directions = np.linalg.svd(x, full_matrices=False)[2] if len(x) < x.shape[1] else np.eye(x.shape[1])
    x = np.hstack([x @ directions.T, np.ones((len(x), 1))])
    wanted = np.eye(int(labels.max()) + 1)[labels]
    theta = np.zeros((wanted.shape[1], x.shape[1]))
    for strength in strengths:
        theta = _minimized(theta, x, wanted, strength)
        weight = theta[:, :-1] @ directions / scale
        yield Head(weight, theta[:, -1] - weight @ mean, strength)


def softmax(scores: Array) -> Array:
    """Return the probabilities of scores (N, K)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _loss(theta: Array, x: Array, wanted: Array, strength: float) -> tuple[float, Array]:
    """Return the loss and its gradient; the last column of theta is the bias, which is not regularized."""
    scores = x @ theta.T
    top = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - top)
    total = powers.sum(axis=1, keepdims=True)
    gradient = (powers / total - wanted).T @ x
    gradient[:, :-1] += theta[:, :-1] / strength
    entropy = (np.log(total) + top - (scores * wanted).sum(axis=1, keepdims=True)).sum()
    return float(entropy + (theta[:, :-1] ** 2).sum() / (2 * strength)), gradient


def _minimized(theta: Array, x: Array, wanted: Array, strength: float) -> Array:
    """Return the theta of the least loss."""
    first = float(np.abs(_loss(np.zeros_like(theta), x, wanted, strength)[1]).max())

    def loss(flat: Array) -> tuple[float, Array]:
        value, gradient = _loss(flat.reshape(theta.shape), x, wanted, strength)
        return value, gradient.reshape(-1)

    def is_flat(_: float, __: float, gradient: Array) -> bool:
        return float(np.abs(gradient).max()) <= SMALL * first

    return smallest(loss, theta.reshape(-1), is_flat, MAX_STEPS).reshape(theta.shape)
