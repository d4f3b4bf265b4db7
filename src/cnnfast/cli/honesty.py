"""What `evaluate` says about probabilities: how far they are off, and what each threshold costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.calibration.measures import Reliability
from cnnfast.calibration.thresholds import SHOWN, AtThreshold, at
from cnnfast.images.preprocess import Array
from cnnfast.report.reliability import diagram
from cnnfast.runtime.tables import aligned


class Honesty:
    """Gathers probabilities, batch by batch.

    Parameters
    ----------
    wanted : int, optional
        The class to find; else the most probable class of each image counts.
    threshold : float
        Shown in the table, too.
    """

    def __init__(self, wanted: int | None, threshold: float) -> None:
        self.reliability = Reliability()
        self._wanted = wanted
        self._thresholds = sorted({*SHOWN, threshold} if wanted is not None else SHOWN)
        self._probabilities: list[Array] = []
        self._right: list[Array] = []

    def add(self, labels: Array, probabilities: Array) -> None:
        """Count some images: ``labels`` of shape (n,), ``probabilities`` of shape (n, K)."""
        self.reliability.add(labels, probabilities)
        if self._wanted is None:
            self._probabilities.append(probabilities.max(axis=1))
            self._right.append(probabilities.argmax(axis=1) == labels)
        else:
            self._probabilities.append(probabilities[:, self._wanted].copy())
            self._right.append(labels == self._wanted)

    def thresholds(self) -> list[AtThreshold]:
        """Return what is found above each threshold."""
        if not self._right:
            return []
        probabilities, right = np.concatenate(self._probabilities), np.concatenate(self._right)
        wanted = None if self._wanted is not None else len(right)
        return [at(threshold, probabilities, right, wanted) for threshold in self._thresholds]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        return {"calibration": self.reliability.to_dict(), "thresholds": [row.to_dict() for row in self.thresholds()]}

    def lines(self, name: str | None) -> list[str]:
        """Return the measures and the table of thresholds; ``name`` is that of the class to find."""
        found = self.reliability
        about = (
            f"mean confidence {found.mean_confidence:.2%}, expected calibration error {found.calibration_error:.4f} "
            f"({len(found.counts)} bins), negative log likelihood {found.negative_log_likelihood:.4f}"
        )
        what = f"{name} above" if name is not None else "label above"
        rows = [(what, "found", "precision", "95 % certain", "recall"), *map(_row, self.thresholds())]
        return [about, "", *aligned(rows)]

    def diagram(self, title: str) -> str:
        """Return the reliability diagram as SVG."""
        found = self.reliability
        about = f"expected calibration error {found.calibration_error:.3f}, {found.images:,} images"
        return diagram(found.rows(), title, about)


def _row(row: AtThreshold) -> tuple[str, ...]:
    low, high = row.to_dict()["precision_95"]
    if not row.found:
        return (f"{row.threshold:g}", "0", "", "", f"{row.recall:.2%}")
    return (
        f"{row.threshold:g}",
        f"{row.found:,}",
        f"{row.precision:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{row.recall:.2%}",
    )
