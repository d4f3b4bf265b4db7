"""The transforms of Winograd convolution, exactly, and the packing of its weights.

F(m x m, k x k) computes m x m output pixels from n x n inputs, n = m + k - 1, with n * n products instead of
m * m * k * k: ``y = A^T [(G w G^T) * (B^T x B)] A``. The matrices follow from interpolating a product of polynomials at
n - 1 points and infinity (Cook and Toom; Winograd, 1980; Lavin and Gray, 2015). Kernels hold A and B as formulas; G is
applied here, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from cnnfast.ops import Array
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import of_call

POINTS = {3: ((0, 5, -5, 12, -12), 8), 5: ((0, 2, -2, 4, -4, 1, -1), 2)}
"""Points of interpolation by kernel size, 0, ±5/8, ±3/2 and 0, ±1, ±2, ±1/2, as whole numbers and what divides them.

They are small and in opposite pairs, which keeps rounding errors low.
"""

FACTORS = {(5, 8): (64, 25), (12, 8): (2, 3)}
"""What the products of a pair of points are multiplied by in A, and divided by in G: others make it cost more."""

OUTPUTS = 4
"""Output pixels of a tile, along each axis."""


@cache
def transforms(kernel: int) -> tuple[Array, Array, Array]:
    """Return (A^T, G, B^T) of F(4x4, kernel x kernel) in float64.

    Each element is one quotient of whole numbers, rounded once. Fractions would be plainer, but importing them takes as
    long as many a layer.

    Examples
    --------
    >>> at, g, bt = transforms(3)
    >>> at.shape, g.shape, bt.shape
    ((4, 6), (6, 3), (6, 6))
    """
    points, unit = POINTS[kernel]
    last = len(points)
    at = [[0.0] * last + [float(i == OUTPUTS - 1)] for i in range(OUTPUTS)]
    g = [[0.0] * kernel for _ in points] + [[float(i == kernel - 1) for i in range(kernel)]]
    bt = [[0.0] * (last + 1) for _ in range(last + 1)]
    for j, p in enumerate(points):
        others = points[:j] + points[j + 1 :]
        over, under = FACTORS.get((abs(p), unit), (1, 1))
        distances = math.prod(p - q for q in others)
        for i in range(OUTPUTS):
            at[i][j] = over * p**i / (under * unit**i)
        for i in range(kernel):
            g[j][i] = p**i * under * unit ** len(others) / (unit**i * over * distances)
        bt[j][:last] = _coefficients(others, unit)
    bt[last] = _coefficients(points, unit)
    # 0 divided by a negative number is -0.0, which 0.0 is added to
    return np.array(at), np.array(g) + 0.0, np.array(bt)


def _coefficients(roots: Sequence[int], unit: int) -> list[float]:
    """Return the coefficients of the product of (x - root / unit), the lowest power first."""
    result = [1]
    for q in roots:
        result = [low - q * high for low, high in zip([0, *result], [*result, 0], strict=True)]
    return [c / unit ** (len(roots) - i) for i, c in enumerate(result)]


def transformed_blocks(weight: Array, starts: Sequence[int]) -> Array:
    """Return the weights (OC, C, K, K) transformed, in the order of the kernels, flat.

    They are computed in float64 and rounded once to float32. The output channels are divided into blocks that begin at
    ``starts``, of which the last is OC. Each block is (E, C, channels), the E = (K + 3)^2 elements by columns.
    """
    oc, c, kernel, _ = weight.shape
    result = np.empty(oc * c * (kernel + OUTPUTS - 1) ** 2, np.float32)
    write_transformed(weight, starts, result, elements_first=False)
    return result


def write_transformed(weight: Array, starts: Sequence[int], out: Array, *, elements_first: bool) -> None:
    """Write transformed weights as `transformed_blocks` does or, ``elements_first``, (E, blocks, C, channels).

    The last of ``starts`` may be more than OC: then places of ``out`` are left as they are.
    """
    oc, c, kernel, _ = weight.shape
    _, g, _ = transforms(kernel)
    double = np.ascontiguousarray(weight, np.float64).reshape(oc, c, kernel * kernel)
    kernels.transform_weights(double, g, starts, out, elements_first, of_call())
