"""Above which probability a picture counts: what each threshold costs, and which one reaches a goal."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.calibration.certainty import interval
from cnnfast.errors import DataError
from cnnfast.ops import Array

SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
PRECISION, RECALL = "precision", "recall"


@frozen
class AtThreshold:
    """What is found above a threshold.

    Attributes
    ----------
    threshold : float
    found, right, wanted : int
        How many probabilities are above it, how many of those are right, and how many there are to be found.
    """

    threshold: float
    found: int
    right: int
    wanted: int

    @property
    def precision(self) -> float:
        """Share of the found that are right; 1 where nothing is found, since nothing is wrong."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of those to be found that are."""
        return self.right / self.wanted if self.wanted else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold, the rates with their 95 % intervals (Wilson)."""
        return {
            "threshold": self.threshold,
            "found": self.found,
            "right": self.right,
            PRECISION: self.precision,
            "precision_95": interval(self.precision, self.found) if self.found else [0.0, 1.0],
            RECALL: self.recall,
            "recall_95": interval(self.recall, self.wanted) if self.wanted else [0.0, 1.0],
        }


def at(threshold: float, probabilities: Array, is_right: Array, wanted: int | None = None) -> AtThreshold:
    """Return what is found above a threshold.

    Parameters
    ----------
    threshold : float
    probabilities : float array (N,)
        Of the class to find, or the highest of each image.
    is_right : bool array (N,)
        Whether the image is of that class.
    wanted : int, optional
        How many there are to be found; by default those that are right.

    Examples
    --------
    >>> at(0.5, np.array([0.9, 0.6, 0.4]), np.array([True, False, True]))
    AtThreshold(threshold=0.5, found=2, right=1, wanted=2)
    """
    found = probabilities > threshold
    return AtThreshold(
        threshold, int(found.sum()), int((found & is_right).sum()), int(is_right.sum()) if wanted is None else wanted
    )


def threshold_for(goal: str, least: float, probabilities: Array, is_right: Array) -> AtThreshold:
    """Return the threshold that reaches a goal and finds as many as possible, or as few wrong ones.

    Parameters
    ----------
    goal : {"precision", "recall"}
        With "precision" the lowest threshold of at least that precision is taken, with "recall" the highest one.
    least : float
    probabilities, is_right
        As for `at`.

    Raises
    ------
    DataError
        If no threshold reaches the goal.

    Examples
    --------
    >>> threshold_for("precision", 0.9, np.array([0.9, 0.6, 0.4]), np.array([True, False, True]))
    AtThreshold(threshold=0.75, found=1, right=1, wanted=2)
    """
    if not is_right.any():
        raise DataError("none of these images shows what is to be found, so no threshold can be chosen with them")
    order = np.argsort(-probabilities, kind="stable")
    values = probabilities[order].astype(np.float64)
    right = np.cumsum(is_right[order])
    # equal probabilities are found together: a threshold is between two values that differ
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    precision, recall = right[ends] / (ends + 1), right[ends] / right[-1]
    reached = np.flatnonzero((precision if goal == PRECISION else recall) >= least)
    if not len(reached):
        best, most = int(ends[precision.argmax()]), precision.max()
        raise DataError(
            f"no threshold has a {goal} of {least:g} on these {len(values):,} images; the best is {most:.4f}, "
            f"above {_below(values, best):.4f}"
        )
    end = int(ends[reached[-1] if goal == PRECISION else reached[0]])
    return at(_below(values, end), probabilities, is_right)


def _below(values: Array, end: int) -> float:
    """Return a number below the value at a place and above the next one; 0 behind the last one."""
    following = float(values[end + 1]) if end + 1 < len(values) else 0.0
    # rounded up by as little as a short number needs, unless both values are too near for that
    middle = (float(values[end]) + following) / 2
    short = float(f"{middle:.4g}")
    return short if following <= short < values[end] else middle
