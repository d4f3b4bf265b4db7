"""The loss that calibration makes small: the negative log likelihood of the true classes."""

from __future__ import annotations

import numpy as np

from cnnfast.calibration.scores import SIGMOID
from cnnfast.ops import Array


def targets_of(labels: Array, count: int) -> Array:
    """Return what probabilities are to become, float (N, count): 1 for the true class, 0 for the others.

    Parameters
    ----------
    labels : int array (N,)
    count : int
        Number of scores; with a single one the label 1 is the class that it is for.

    Examples
    --------
    >>> targets_of(np.array([0, 1]), 2)
    array([[1., 0.],
           [0., 1.]])
    """
    true = labels[:, None] == (np.ones(1, int) if count == 1 else np.arange(count))
    targets: Array = true.astype(np.float64)
    return targets


def loss_and_slope(scores: Array, targets: Array, kind: str) -> tuple[float, Array]:
    """Return the mean loss of an image and its derivative by each score.

    Examples
    --------
    >>> loss, slope = loss_and_slope(np.zeros((1, 2)), np.array([[1.0, 0.0]]), "softmax")
    >>> round(loss, 4), slope
    (0.6931, array([[-0.5,  0.5]]))
    """
    if kind == SIGMOID:
        losses = np.logaddexp(0, scores) - targets * scores
        probabilities = np.exp(-np.logaddexp(0, -scores))
    else:
        highest = scores.max(axis=1, keepdims=True)
        rest = np.log(np.exp(scores - highest).sum(axis=1, keepdims=True)) + highest
        losses = rest - (targets * scores).sum(axis=1, keepdims=True)
        probabilities = np.exp(scores - rest)
    return float(losses.sum()) / len(scores), (probabilities - targets) / len(scores)


def losses_of(scores: Array, labels: Array, kind: str) -> Array:
    """Return the negative log likelihood of the true class of each image."""
    if kind == SIGMOID:
        true = labels[:, None] == (np.ones(1, int) if scores.shape[1] == 1 else np.arange(scores.shape[1]))
        each: Array = np.logaddexp(0, np.where(true, -scores, scores)).sum(axis=1)
        return each
    highest = scores.max(axis=1)
    rest = np.log(np.exp(scores - highest[:, None]).sum(axis=1)) + highest
    losses: Array = rest - np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return losses


def probabilities_of(scores: Array, kind: str) -> Array:
    """Return the probability of each class; a single score p counts as the classes (1 - p, p)."""
    if kind == SIGMOID:
        found = np.exp(-np.logaddexp(0, -scores))
        return np.concatenate([1 - found, found], axis=1) if scores.shape[1] == 1 else found
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result
