"""Fits the polynomials of src/cnnfast/csrc/math.inc and prints their coefficients, lowest power first.

Each is a least-squares fit on Chebyshev nodes, weighted so that the relative error of the function itself is even.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Function = Callable[[float], float]


def fit(function: Function, low: float, high: float, degree: int, weight: Function = lambda x: 1.0) -> np.ndarray:
    """Return the coefficients of a polynomial that is close to ``function`` on an interval."""
    k = np.arange(400)
    x = (low + high) / 2 + (high - low) / 2 * np.cos(math.pi * (k + 0.5) / len(k))
    y = np.array([function(float(v)) for v in x])
    w = np.array([weight(float(v)) for v in x])
    powers = x[:, None] ** np.arange(degree + 1)
    return np.linalg.lstsq(powers * w[:, None], y * w, rcond=None)[0]


def main() -> None:
    """Print every table."""
    half = math.log(2) / 2 * 1.01
    tables = {
        "exp(r), |r| <= ln(2)/2: 1 + r + r^2 * P(r)": fit(
            lambda r: (math.expm1(r) - r) / r**2 if abs(r) > 1e-3 else 0.5 + r / 6 + r * r / 24, -half, half, 4
        ),
        "expm1(x), -0.5 <= x <= 0.5: x + x^2 * P(x)": fit(
            lambda x: (math.expm1(x) - x) / x**2 if abs(x) > 1e-3 else 0.5 + x / 6 + x * x / 24, -0.51, 0.51, 5
        ),
        "log(1 + f), -1/3 <= f <= 1/3: f + f^2 * P(f)": fit(
            lambda f: (math.log1p(f) - f) / f**2 if abs(f) > 1e-3 else -0.5 + f / 3 - f * f / 4, -0.335, 0.335, 8
        ),
        "tanh(x), |x| <= 0.625: x + x^3 * P(x^2)": fit(
            lambda s: (math.tanh(math.sqrt(s)) - math.sqrt(s)) / s**1.5 if s > 1e-4 else -1 / 3 + 2 / 15 * s,
            0.0,
            0.391,
            4,
        ),
        "erf(x), |x| <= 1: x + x * P(x^2)": fit(
            lambda s: math.erf(math.sqrt(s)) / math.sqrt(s) - 1 if s > 1e-8 else 2 / math.sqrt(math.pi) - 1, 0.0, 1.0, 6
        ),
        "log(1 - erf(x)), 1 <= x <= 4: P(x)": fit(
            lambda x: math.log(math.erfc(x)), 0.98, 4.0, 8, lambda x: math.erfc(x) * 10
        ),
    }
    for name, coefficients in tables.items():
        print(name)
        print("   ", ", ".join(f"{c:.9g}f" for c in coefficients))


if __name__ == "__main__":
    main()
