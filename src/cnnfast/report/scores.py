"""How good a network is: everything follows from the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnfast._frozen import frozen
from cnnfast.images.preprocess import Array
from cnnfast.runtime.notebook import block, table


@frozen
class Detection:
    """How well one class is told from all others.

    Attributes
    ----------
    true_positives, false_positives, false_negatives : int
        Found and right, found and wrong, missed.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of the found that are right; 0 if nothing was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the right ones that were found; 0 if there are none."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and rates as values that JSON can hold."""
        return {
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


class Scores:
    """The confusion matrix, gathered batch by batch, and what follows from it.

    Parameters
    ----------
    classes : sequence of str
    wanted : int, optional
        A class to tell from all others by its probability alone.
    threshold : float
        An image counts as ``wanted`` if the probability of that is above.

    Examples
    --------
    >>> scores = Scores(["cat", "dog"])
    >>> scores.add(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    >>> scores.matrix
    array([[1, 0],
           [1, 1]])
    >>> scores.of_class(0)
    Detection(true_positives=1, false_positives=1, false_negatives=0)
    >>> round(scores.accuracy, 3)
    0.667
    """

    def __init__(self, classes: Sequence[str], wanted: int | None = None, threshold: float = 0.5) -> None:
        self.classes = tuple(classes)
        self.matrix: npt.NDArray[np.int64] = np.zeros((len(classes), len(classes)), np.int64)
        self.wanted = wanted
        self.threshold = threshold
        self._found = self._found_right = 0

    def add(self, labels: Array, probabilities: Array) -> None:
        """Count some images: ``labels`` of shape (n,), ``probabilities`` of shape (n, K)."""
        np.add.at(self.matrix, (labels, probabilities.argmax(axis=1)), 1)
        if self.wanted is not None:
            found = probabilities[:, self.wanted] > self.threshold
            self._found += int(found.sum())
            self._found_right += int((found & (labels == self.wanted)).sum())

    @property
    def total(self) -> int:
        """Number of images."""
        return int(self.matrix.sum())

    @property
    def right(self) -> int:
        """Number of images whose most probable class is theirs."""
        return int(self.matrix.trace())

    @property
    def accuracy(self) -> float:
        """Share of the images that are right."""
        return _ratio(self.right, self.total)

    def of_class(self, index: int) -> Detection:
        """Return how well a class is told from the others where the most probable class decides."""
        right = int(self.matrix[index, index])
        return Detection(right, int(self.matrix[:, index].sum()) - right, int(self.matrix[index].sum()) - right)

    def of_wanted(self) -> Detection:
        """Return how well ``wanted`` is told from the others by the threshold."""
        assert self.wanted is not None
        return Detection(
            self._found_right, self._found - self._found_right, int(self.matrix[self.wanted].sum()) - self._found_right
        )

    def __repr__(self) -> str:
        return f"<cnnfast.report.Scores: {self.right} of {self.total} right, {len(self.classes)} classes>"

    def _repr_html_(self) -> str:
        counts = self.matrix.tolist()
        rows = [("is / taken for", *self.classes)]
        rows += [(name, *(f"{n:,}" if n else "" for n in row)) for name, row in zip(self.classes, counts, strict=True)]
        shades = (self.matrix / np.maximum(self.matrix.sum(axis=1, keepdims=True), 1)).tolist()
        title = f"{self.accuracy:.2%} of {self.total:,} images right"
        return block(title, inside=table(rows, shades=shades), folded="" if len(rows) < 30 else "confusion matrix")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        result: dict[str, Any] = {
            "images": self.total,
            "right": self.right,
            "accuracy": self.accuracy,
            "classes": list(self.classes),
            "per_class": {name: self.of_class(i).to_dict() for i, name in enumerate(self.classes)},
            "confusion_matrix": self.matrix.tolist(),
        }
        if self.wanted is not None:
            result["wanted"] = {
                "class": self.classes[self.wanted],
                "threshold": self.threshold,
                **self.of_wanted().to_dict(),
            }
        return result
