"""Between what a share that was found in some images is, with 95 % certainty."""

from __future__ import annotations

import math

CERTAIN = 1.96
"""Standard deviations on either side that hold 95 % of a normal distribution."""


def interval(share: float, count: int) -> list[float]:
    """Return between what a share that was found in ``count`` images is, with 95 % certainty (Wilson).

    Examples
    --------
    >>> [round(bound, 3) for bound in interval(0.9, 100)]
    [0.826, 0.945]
    """
    square = CERTAIN * CERTAIN / count
    middle = (share + square / 2) / (1 + square)
    reach = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return [max(middle - reach, 0.0), min(middle + reach, 1.0)]
