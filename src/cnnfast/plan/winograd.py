"""The transforms of Winograd convolution, exactly, and the packing of its weights.

F(m x m, k x k) computes m x m output pixels from n x n inputs, n = m + k - 1, with n * n products instead of
m * m * k * k: ``y = A^T [(G w G^T) * (B^T x B)] A``. The matrices follow from interpolating a product of polynomials at
n - 1 points and infinity (Cook and Toom; Winograd, 1980; Lavin and Gray, 2015). Kernels hold A and B as formulas; G is
applied here, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np

from cnnfast.ops import Array
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import of_call

A_HALF, HALVES, EIGHTHS = Fraction(1, 2), Fraction(3, 2), Fraction(5, 8)

POINTS = {3: (0, EIGHTHS, -EIGHTHS, HALVES, -HALVES), 5: (0, 1, -1, 2, -2, A_HALF, -A_HALF)}
"""Points of interpolation by kernel size: small and in opposite pairs, which keeps rounding errors low."""

FACTORS = {abs(EIGHTHS): 1 / EIGHTHS**2, abs(HALVES): 1 / HALVES}
"""What the products of a pair of points are multiplied by in A, and divided by in G: others make it cost more."""

OUTPUTS = 4
"""Output pixels of a tile, along each axis."""

Matrix = list[list[Fraction]]


@cache
def transforms(kernel: int) -> tuple[Array, Array, Array]:
    """Return (A^T, G, B^T) of F(4x4, kernel x kernel) in float64.

    Examples
    --------
    >>> at, g, bt = transforms(3)
    >>> at.shape, g.shape, bt.shape
    ((4, 6), (6, 3), (6, 6))
    """
    points = [Fraction(p) for p in POINTS[kernel]]
    factors = [FACTORS.get(abs(p), Fraction(1)) for p in points]
    at = [
        [f * p**i for f, p in zip(factors, points, strict=True)] + [Fraction(i == OUTPUTS - 1)] for i in range(OUTPUTS)
    ]
    g = [[p**i / (factors[j] * _denominator(points, j)) for i in range(kernel)] for j, p in enumerate(points)]
    g.append([Fraction(i == kernel - 1) for i in range(kernel)])
    bt = [_row(points, j) for j in range(len(points))] + [_product(points)]
    return _floats(at), _floats(g), _floats(bt)


def _denominator(points: list[Fraction], j: int) -> Fraction:
    result = Fraction(1)
    for k, q in enumerate(points):
        if k != j:
            result *= points[j] - q
    return result


def _row(points: list[Fraction], j: int) -> list[Fraction]:
    others = [q for k, q in enumerate(points) if k != j]
    return [*_product(others), Fraction(0)]


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of (x - root), the lowest power first."""
    result = [Fraction(1)]
    for q in roots:
        result = [low - q * high for low, high in zip([Fraction(0), *result], [*result, Fraction(0)], strict=True)]
    return result


def _floats(matrix: Matrix) -> Array:
    return np.array([[float(v) for v in row] for row in matrix])


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
