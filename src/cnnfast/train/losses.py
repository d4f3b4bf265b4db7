"""Losses: how wrong the scores of a network are, and in which direction.

A loss takes scores (N, K), before softmax or sigmoid, and targets (N, K). Its value is one number for each image, its
gradient is that of the sum of the values; engines divide by N.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import InputError
from cnnfast.ops import Array, LogSoftmax, Op, Sigmoid, Softmax
from cnnfast.ops.activation import sigmoid
from cnnfast.runtime.arguments import check_range


class Loss:
    """Base of the losses."""

    name: ClassVar[str]
    fuses: ClassVar[tuple[type[Op], ...]] = ()
    """Ops at the end of a network that the loss computes itself, from the scores before them."""

    def targets(self, labels: Array, classes: int) -> Array:
        """Return targets, float32 (N, K), from class numbers (N,) or from values (N, K).

        Raises
        ------
        InputError
            If a label is not a class number, or values have another shape.
        """
        labels = np.asarray(labels)
        if labels.ndim == 2:
            if labels.shape[1] != classes:
                raise InputError(f"targets must have the shape (N, {classes}), but have {labels.shape}")
            return self._from_values(labels.astype(np.float32))
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise InputError(f"labels must be integers of shape (N,), but are {labels.dtype} of shape {labels.shape}")
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if len(wrong):
            raise InputError(
                f"label {labels[wrong[0]]} of image {wrong[0]} is not a class: labels must be from 0 to {classes - 1}"
            )
        return self._from_values(self._one_hot(labels, classes))

    def _one_hot(self, labels: Array, classes: int) -> Array:
        values = np.zeros((len(labels), classes), np.float32)
        values[np.arange(len(labels)), labels] = 1
        return values

    def _from_values(self, values: Array) -> Array:
        return values

    def value(self, scores: Array, targets: Array) -> Array:
        """Return the loss of each image, (N,)."""
        raise NotImplementedError

    def gradient(self, scores: Array, targets: Array) -> Array:
        """Return the derivative of the sum of the losses with respect to the scores, (N, K)."""
        raise NotImplementedError


@frozen
class SoftmaxCrossEntropy(Loss):
    """``-sum_k t[k] * log(softmax(scores)[k])``; targets are class numbers or probabilities.

    Parameters
    ----------
    label_smoothing : float
        How much of each target is spread evenly over all classes, from 0, below 1 (Szegedy et al., 2015).

    Notes
    -----
    Equals ``torch.nn.CrossEntropyLoss``.

    Examples
    --------
    >>> loss = SoftmaxCrossEntropy()
    >>> loss.value(np.zeros((1, 2)), loss.targets(np.array([1]), 2)).round(4)
    array([0.6931])
    """

    name: ClassVar[str] = "softmax_cross_entropy"
    fuses: ClassVar[tuple[type[Op], ...]] = (Softmax, LogSoftmax)

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_range("label_smoothing", self.label_smoothing, below=1)

    def _from_values(self, values: Array) -> Array:
        smooth = np.float32(self.label_smoothing)
        result: Array = values * (1 - smooth) + smooth / np.float32(values.shape[1])
        return result

    def value(self, scores: Array, targets: Array) -> Array:
        result: Array = -(targets * LogSoftmax().reference(scores)).sum(axis=1)
        return result

    def gradient(self, scores: Array, targets: Array) -> Array:
        result: Array = Softmax().reference(scores) * targets.sum(axis=1, keepdims=True) - targets
        return result


@frozen
class SigmoidBinaryCrossEntropy(Loss):
    """``sum_k log(1 + exp(s[k])) - t[k] * s[k]``: each score is an independent yes or no.

    With one score, targets may be the labels 0 and 1 as (N,).

    Notes
    -----
    Equals ``torch.nn.BCEWithLogitsLoss``, summed over the classes.

    Examples
    --------
    >>> SigmoidBinaryCrossEntropy().gradient(np.zeros((1, 1)), np.ones((1, 1)))
    array([[-0.5]])
    """

    name: ClassVar[str] = "sigmoid_binary_cross_entropy"
    fuses: ClassVar[tuple[type[Op], ...]] = (Sigmoid,)

    def targets(self, labels: Array, classes: int) -> Array:
        labels = np.asarray(labels)
        if labels.ndim == 1 and classes == 1:
            return super().targets(labels, 2)[:, 1:]
        return super().targets(labels, classes)

    def value(self, scores: Array, targets: Array) -> Array:
        result: Array = (np.maximum(scores, 0) - scores * targets + np.log1p(np.exp(-np.abs(scores)))).sum(axis=1)
        return result

    def gradient(self, scores: Array, targets: Array) -> Array:
        result: Array = sigmoid(scores) - targets
        return result


@frozen
class MeanSquaredError(Loss):
    """``mean_k (s[k] - t[k])**2``; a class number means a one among zeros.

    Notes
    -----
    Equals ``torch.nn.MSELoss``.

    Examples
    --------
    >>> MeanSquaredError().value(np.zeros((1, 2)), np.array([[0.0, 2.0]]))
    array([2.])
    """

    name: ClassVar[str] = "mean_squared_error"

    def value(self, scores: Array, targets: Array) -> Array:
        result: Array = ((scores - targets) ** 2).mean(axis=1)
        return result

    def gradient(self, scores: Array, targets: Array) -> Array:
        result: Array = (scores - targets) * scores.dtype.type(2 / scores.shape[1])
        return result


LOSSES: dict[str, type[Loss]] = {
    cls.name: cls for cls in (SoftmaxCrossEntropy, SigmoidBinaryCrossEntropy, MeanSquaredError)
}
"""The losses by name."""
