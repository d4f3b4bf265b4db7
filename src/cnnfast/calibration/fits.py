"""The best temperature, and the best factor and shift of each class."""

from __future__ import annotations

import math

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.calibration.likelihood import loss_and_slope, targets_of
from cnnfast.calibration.minimum import smallest
from cnnfast.errors import DataError
from cnnfast.ops import Array

HOTTEST = 100.0
"""No temperature above this, or below one part of it, is taken for an answer."""

ROUNDS = 60
STEPS = 200


@frozen(eq=False)
class Scaling:
    """What is done to scores: ``factor * scores + shift``.

    Attributes
    ----------
    method : {"temperature", "vector"}
    factor : float array (1,) or (K,)
        One over the temperature, or a number for each class.
    shift : float array (K,) or None
    """

    method: str
    factor: Array
    shift: Array | None = None

    def __call__(self, scores: Array) -> Array:
        """Return the scores after it."""
        result: Array = scores * self.factor
        return result if self.shift is None else result + self.shift

    @property
    def temperature(self) -> float | None:
        """By what scores are divided, if it is the same for all classes."""
        return 1 / float(self.factor[0]) if self.shift is None else None


def fit_temperature(scores: Array, labels: Array, kind: str) -> Scaling:
    """Return the temperature with the least negative log likelihood (Guo, Pleiss, Sun and Weinberger 2017).

    The loss is a convex function of ``1 / T``, so its derivative changes sign once; where, is found by bisection. A few
    images that are all right would make T 0 and every probability 1; so it is assumed that ``log T`` has a normal
    distribution of mean 0 and deviation 1, which counts as much as one image.

    Raises
    ------
    DataError
        If every temperature below 100 is too low: the scores say nothing about the labels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=(20000, 3))
    >>> labels = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)  # scores that are right as they are
    >>> round(fit_temperature(5 * scores, labels, "softmax").temperature, 1)
    5.0
    """
    targets = targets_of(labels, scores.shape[1])

    def slope(power: float) -> float:
        factor = math.exp(power)
        of_loss = factor * float((loss_and_slope(factor * scores, targets, kind)[1] * scores).sum())
        return of_loss + power / len(scores)

    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    if float((loss_and_slope(math.exp(low) * scores, targets, kind)[1] * scores).sum()) >= 0:
        raise DataError(
            f"the scores of this network say nothing about the labels of these {len(labels):,} images, so no "
            "temperature makes probabilities of them; are the labels those of its classes, in its order?"
        )
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return Scaling("temperature", np.array([math.exp((low + high) / 2)]))


def fit_vector(scores: Array, labels: Array, kind: str) -> Scaling:
    """Return a factor and a shift for each class: vector scaling; with a single score, Platt's two numbers.

    Raises
    ------
    DataError
        As `fit_temperature`, with whose result it begins.
    """
    targets, count = targets_of(labels, scores.shape[1]), scores.shape[1]
    begin = np.concatenate([np.broadcast_to(fit_temperature(scores, labels, kind).factor, count), np.zeros(count)])

    def loss(point: Array) -> tuple[float, Array]:
        value, slope = loss_and_slope(scores * point[:count] + point[count:], targets, kind)
        # what a few images do not say stays near the temperature; all of it counts as much as one image
        away = (point - begin) / len(scores)
        derivative = np.concatenate([(slope * scores).sum(axis=0), slope.sum(axis=0)])
        return value + float(away @ (point - begin)) / 2, derivative + away

    point = smallest(loss, begin, _hardly_less, STEPS)
    return Scaling("vector", point[:count], point[count:])


def _hardly_less(before: float, value: float, _: Array) -> bool:
    return before - value < 1e-10 * max(abs(before), 1)
