"""Where a convex function is smallest, by L-BFGS in float64."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from cnnfast.ops import Array

MEMORY = 10
"""Pairs of steps and changes of the derivative that are used in place of its second derivative."""

ENOUGH, LEAST = 1e-4, 1e-10
"""What part of the promised decrease a step must bring, and the length below which rounding is all that is left."""

Pairs = deque[tuple[Array, Array]]


def smallest(
    function: Callable[[Array], tuple[float, Array]],
    begin: Array,
    is_done: Callable[[float, float, Array], bool],
    steps: int,
) -> Array:
    """Return where a convex function is smallest: L-BFGS (Nocedal and Wright, algorithm 7.5), halving each step.

    Parameters
    ----------
    function : callable
        From a point to the value there and its derivative.
    begin : float array (K,)
    is_done : callable (value before, value, derivative) -> bool
        Asked before each step; before the first one the value before is infinite.
    steps : int
        At most.

    Examples
    --------
    >>> def square(x):
    ...     return float(((x - 3) ** 2).sum()), 2 * (x - 3)
    >>> smallest(square, np.zeros(2), lambda before, value, slope: abs(slope).max() < 1e-9, steps=50).round(6)
    array([3., 3.])
    """
    point, (value, slope), before = begin, function(begin), np.inf
    pairs: Pairs = deque(maxlen=MEMORY)
    for _ in range(steps):
        if is_done(before, value, slope):
            break
        direction = -_times_inverse(pairs, slope)
        down, length = float(slope @ direction), 1.0
        while (found := function(point + length * direction))[0] > value + ENOUGH * length * down:
            length /= 2
            if length < LEAST:
                return point
        step, change = length * direction, found[1] - slope
        if step @ change > 0:
            pairs.append((step, change))
        point, before, (value, slope) = point + step, value, found
    return point


def _times_inverse(pairs: Pairs, slope: Array) -> Array:
    """Return the inverse of the second derivative, as the pairs show it, times a vector; at first one of length 1."""
    if not pairs:
        first: Array = slope / max(float(np.abs(slope).sum()), 1e-300)
        return first
    result, parts = slope, []
    for step, change in reversed(pairs):
        part = float(step @ result) / float(step @ change)
        parts.append(part)
        result = result - part * change
    step, change = pairs[-1]
    result = result * (float(step @ change) / float(change @ change))
    for (step, change), part in zip(pairs, reversed(parts), strict=True):
        result = result + step * (part - float(change @ result) / float(step @ change))
    return result
