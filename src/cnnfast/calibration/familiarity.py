"""How much an image is like those that a network has learned from."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.ops import Array

NOTE = "known above"
"""The note of a network that holds the least familiarity of a known image."""

KEPT = 0.95
"""The share of known images that stay known."""


def familiarity_of(scores: Array) -> Array:
    """Return how familiar images are, from their scores of shape (N, K): ``log(sum_k exp(s_k))``.

    The negative of the energy of Liu, Wang, Owens and Li ("Energy-based Out-of-distribution Detection", 2020). Of a
    single score s, whose classes have the scores 0 and s, it would be low where the network is in doubt and high
    otherwise, so there it is the distance from doubt, ``|s|``.

    Examples
    --------
    >>> familiarity_of(np.array([[0.0, 0.0], [5.0, 0.0]])).round(3)
    array([0.693, 5.007])
    """
    values = scores.astype(np.float64)
    if values.shape[1] == 1:
        result: Array = np.abs(values[:, 0])
        return result
    highest = values.max(axis=1)
    found: Array = np.log(np.exp(values - highest[:, None]).sum(axis=1)) + highest
    return found


def known_above(scores: Array) -> float:
    """Return the familiarity above which `KEPT` of some known images are.

    Examples
    --------
    >>> round(known_above(np.array([[float(i), -50.0] for i in range(101)])), 6)
    5.0
    """
    return float(np.quantile(familiarity_of(scores), 1 - KEPT))


def noted(least: float) -> dict[str, str]:
    """Return the note of a threshold."""
    return {NOTE: repr(least)}


def threshold_in(notes: object) -> float | None:
    """Return the threshold that the notes of a network hold, or None.

    Raises
    ------
    ModelFileError
        If the note is not a number.

    Examples
    --------
    >>> threshold_in({"known above": "2.5"}), threshold_in({})
    (2.5, None)
    """
    text = notes.get(NOTE) if hasattr(notes, "get") else None
    if text is None:
        return None
    try:
        least = float(text)
    except ValueError:
        least = math.nan
    if not math.isfinite(least):
        raise ModelFileError(
            f"the note {NOTE!r} must be a number, the least familiarity of a known image, but is {text!r}"
        )
    return least
