"""What must be right before a way is timed: floats are compared with ours, integers with floats of their own engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from networks import Bench

from peers.ways import Way

PLAUSIBLE = 1e-3
"""A probability further than this from ours, in units of the largest one, is wrong and not merely rounded."""

PLAUSIBLE_INTEGERS = 0.25
"""Of integers the root of the mean square error may be this part of what the results of two pictures differ by.

Eight bits give a sixth at most here; a picture taken for another one gives 1.
"""

FEWEST = 32
"""Pictures that integers are checked with, in as many calls as that takes."""


class Judgment(NamedTuple):
    """What a check has found: the largest difference of a probability, what is wrong with it, and labels that agree."""

    difference: float
    wrong: str
    agreement: float = 1.0


class FloatCheck:
    """Compares results of floats with our probabilities."""

    def __init__(self, bench: Bench, expected: np.ndarray) -> None:
        self._pictures, self._expected = bench.pictures(len(expected)), expected

    def __call__(self, way: Way) -> Judgment:
        difference = _largest(way(self._pictures), self._expected)
        right = difference <= PLAUSIBLE * self._expected.max()
        return Judgment(difference, "" if right else f"a probability is off by {difference:.1e}")


class IntegerCheck:
    """Compares results of integers with those of the same engine in float.

    Raises
    ------
    ValueError
        If the floats are not ours.
    """

    def __init__(self, bench: Bench, expected: np.ndarray, floats: Mapping[str, Way]) -> None:
        self._batch = len(expected)
        self._pictures = bench.pictures(self._batch * -(-FEWEST // self._batch))
        way = next(iter(floats.values()))
        wrong = FloatCheck(bench, expected)(way).wrong
        if wrong:
            raise ValueError(f"in float, {wrong}")
        self._expected = self._all(way)

    def __call__(self, way: Way) -> Judgment:
        result = self._all(way)
        error, spread = _root_mean_square(result, self._expected), _root_mean_square(*self._neighbors())
        right = error <= PLAUSIBLE_INTEGERS * spread
        why = f"probabilities are off by {error:.1e}, and those of two pictures differ by {spread:.1e}"
        agreement = float((result.argmax(axis=1) == self._expected.argmax(axis=1)).mean())
        return Judgment(_largest(result, self._expected), "" if right else why, agreement)

    def _all(self, way: Way) -> np.ndarray:
        """Return the results of all pictures; an engine may use the memory of one for the next."""
        starts = range(0, len(self._pictures), self._batch)
        results = [np.array(way(self._pictures[i : i + self._batch])) for i in starts]
        return np.concatenate(results).reshape(len(self._pictures), -1)

    def _neighbors(self) -> tuple[np.ndarray, np.ndarray]:
        return self._expected[1:], self._expected[:-1]


def _root_mean_square(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()))


def _largest(result: np.ndarray, expected: np.ndarray) -> float:
    difference = float(np.abs(np.asarray(result).reshape(expected.shape) - expected).max())
    return difference if difference == difference else float("inf")
