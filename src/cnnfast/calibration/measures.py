"""How far probabilities are from being right as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast.ops import Array

BINS = 10
"""Of equal width, from 0 to 1."""

LEAST = np.finfo(np.float32).tiny
"""What a probability of 0 counts as in a logarithm."""


class Reliability:
    """How often the most probable class is right, by its probability; gathered batch by batch.

    A bin b holds the n(b) images whose highest probability is above ``b / 10`` and at most ``(b + 1) / 10``. With the
    share of them that are right, acc(b), and their mean highest probability, conf(b), the **expected calibration
    error** is ``sum_b n(b) / n * |acc(b) - conf(b)|`` (Naeini, Cooper and Hauskrecht 2015; formula 3 of Guo, Pleiss,
    Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017). The **negative log likelihood** is the mean
    of ``-log p(true class)``.

    Examples
    --------
    >>> found = Reliability()
    >>> found.add(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    >>> found.calibration_error, found.mean_confidence, round(found.negative_log_likelihood, 3)
    (0.25, 0.75, 0.837)
    """

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.right: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.confidences = np.zeros(BINS)
        self._log_likelihood = 0.0

    def add(self, labels: Array, probabilities: Array) -> None:
        """Count some images: ``labels`` of shape (n,), ``probabilities`` of shape (n, K)."""
        highest = probabilities.max(axis=1).astype(np.float64)
        bins = np.clip(np.ceil(highest * BINS).astype(int) - 1, 0, BINS - 1)
        self.counts += np.bincount(bins, minlength=BINS)
        self.right += np.bincount(bins[probabilities.argmax(axis=1) == labels], minlength=BINS)
        self.confidences += np.bincount(bins, highest, BINS)
        own = np.take_along_axis(probabilities, labels[:, None], axis=1).astype(np.float64)
        self._log_likelihood += float(np.log(np.maximum(own, LEAST)).sum())

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of the images whose most probable class is right."""
        return int(self.right.sum()) / max(self.images, 1)

    @property
    def mean_confidence(self) -> float:
        """Mean of the highest probability."""
        return float(self.confidences.sum()) / max(self.images, 1)

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return float(np.abs(self.right - self.confidences).sum()) / max(self.images, 1)

    @property
    def negative_log_likelihood(self) -> float:
        """Mean of the negative logarithm of the probability of the true class."""
        return -self._log_likelihood / max(self.images, 1)

    def rows(self) -> list[dict[str, Any]]:
        """Return the bins that have images: their limits, number of images, mean probability and share right."""
        return [
            {
                "above": b / BINS,
                "to": (b + 1) / BINS,
                "images": int(self.counts[b]),
                "confidence": float(self.confidences[b] / self.counts[b]),
                "accuracy": float(self.right[b] / self.counts[b]),
            }
            for b in np.flatnonzero(self.counts).tolist()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        return {
            "expected_calibration_error": self.calibration_error,
            "mean_confidence": self.mean_confidence,
            "negative_log_likelihood": self.negative_log_likelihood,
            "reliability": self.rows(),
        }
