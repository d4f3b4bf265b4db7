"""How far a float32 kernel may be from the float64 reference: a formula, not a tolerance that can be loosened."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from cases import Case

from cnnfast.ops import AvgPool, Conv2d, GlobalAvgPool, GroupNorm, LayerNorm, Linear, Reduce, ReduceSum
from cnnfast.plan.choose import algorithm

EPS = float(np.finfo(np.float32).eps)


WINOGRAD = 3.0
"""How much more than a direct sum a sum by Winograd may be off; over the cases at most 1.84 times the direct bound."""


SHORT_SUM, SUM_BLOCK = 64, 16
"""How many terms are added one after the other: all of a short sum, else a block; as in csrc/."""


def _in_a_row(sizes: Sequence[int]) -> int:
    """Return how many roundings may add up in a sum over axes of these sizes."""
    terms = math.prod(sizes)
    return terms if terms <= SHORT_SUM else SUM_BLOCK


def bound(case: Case, reference: np.ndarray, layout: str = "nchw") -> float:
    """Return the largest difference allowed.

    A sum of K products is off by at most ``K * eps * sum|a * w|``; with products of random sign it grows like the root
    of K, so ``c * eps * sqrt(K) * max|a| * max|w| * sqrt(K)`` with c = 1 leaves room for any order of additions.
    Functions of one element may be off by a few units in the last place of the result and of their argument.
    """
    inputs, parameters = case.arrays(images=3)
    largest = max(float(np.abs(x).max()) for x in inputs)
    if isinstance(case.op, Conv2d | Linear):
        terms = int(np.prod(parameters[0].shape[1:]))
        factor = WINOGRAD if layout != "nchw" and is_winograd(case) else 1.0
        return factor * EPS * (terms + 1) * largest * float(np.abs(parameters[0]).max())
    if isinstance(case.op, AvgPool):
        return EPS * (_in_a_row(case.op.kernel) + 1) * largest
    if isinstance(case.op, GlobalAvgPool):
        return EPS * (_in_a_row(case.inputs[0][1:]) + 1) * largest
    if isinstance(case.op, Reduce):
        sizes = [case.inputs[0][axis - 1] for axis in case.op.axes]
        return EPS * (_in_a_row(sizes) + 1) * largest * (math.prod(sizes) if isinstance(case.op, ReduceSum) else 1)
    if isinstance(case.op, LayerNorm | GroupNorm):
        # the mean is corrected; what is centered has the size of one standard deviation
        weights = max([1.0, *(float(np.abs(p).max()) for p in parameters)])
        return EPS * (SUM_BLOCK + 8) * largest * weights
    return 8 * EPS * max(1.0, largest, float(np.abs(reference).max()))


def is_winograd(case: Case) -> bool:
    """Return whether the planner computes a case by Winograd."""
    if not isinstance(case.op, Conv2d):
        return False
    return algorithm(case.op, case.parameters[0], case.output_shape)[0].startswith("winograd")


def assert_close(result: np.ndarray, reference: np.ndarray, case: Case, layout: str = "nchw") -> None:
    """Fail unless a result is within `bound` of the reference."""
    reference = np.broadcast_to(reference, result.shape)
    error = float(np.abs(result - reference).max())
    limit = bound(case, reference, layout)
    assert error <= limit, f"{case.id}: off by {error:.3g}, allowed {limit:.3g}"
