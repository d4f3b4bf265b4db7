"""Answers of a network as JSON has them: text, numbers, lists and dicts of Python, nothing of NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast.ops import Array


def shortest(value: Any) -> float:
    """Return a float32 as the shortest number that stands for it, so that files hold no digits without meaning.

    Examples
    --------
    >>> shortest(np.float32(0.1))
    0.1
    """
    return float(str(np.float32(value)))


def plain(values: Array) -> Any:
    """Return float32 numbers as lists of `shortest` ones, or a single one as such.

    Examples
    --------
    >>> plain(np.array([[0.1, 0.2]], np.float32))
    [[0.1, 0.2]]
    """
    return [plain(value) for value in values] if np.ndim(values) else shortest(values)


def finite(value: Any) -> Any:
    """Return lists, dicts and numbers with None where a number is not finite: JSON cannot express those.

    Examples
    --------
    >>> finite({"sizes": [1.5, float("nan")], "name": "conv1"})
    {'sizes': [1.5, None], 'name': 'conv1'}
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ranked(classes: Array, probabilities: Array, k: int) -> list[Any]:
    """Return the ``k`` most probable labels with their probabilities, the first of equal ones first.

    Parameters
    ----------
    classes : array (K,)
    probabilities : float32 array (K,) or (*positions, K)
        With several positions the result is a list of such lists.
    k : int

    Examples
    --------
    >>> ranked(np.array(["cat", "dog"]), np.array([0.25, 0.75], np.float32), 1)
    [{'label': 'dog', 'probability': 0.75}]
    """
    if probabilities.ndim > 1:
        return [ranked(classes, row, k) for row in probabilities]
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [{"label": classes[i].item(), "probability": shortest(probabilities[i])} for i in order]
