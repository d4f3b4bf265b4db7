"""The only rounding from floats to bytes; scales, and the constants made of them."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array

TINY = float(np.finfo(np.float32).tiny)
"""No scale, and no constant made of scales, is denormal: then it does not matter whether denormals are flushed."""

BYTE = (0, 255)


def saturate(values: Array, low: int = 0, high: int = 255) -> Array:
    """Return float32 values as bytes: limited to ``low`` and ``high``, rounded half to even; NaN gives ``low``.

    Examples
    --------
    >>> saturate(np.array([-3.0, 0.5, 1.5, 300.0, np.nan], np.float32))
    array([  0,   0,   2, 255,   0], dtype=uint8)
    """
    limited = np.fmin(np.fmax(values, np.float32(low)), np.float32(high))
    return np.rint(limited).astype(np.uint8)


def scale32(op: str, name: str, value: float) -> float:
    """Return a scale as float32, or raise `GraphError` unless it is a normal positive number."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if not TINY <= rounded < np.inf:
        raise GraphError(f"{name} of {op} must be a positive float32 of at least {TINY:.3g}, but is {value!r}")
    return rounded


def byte(op: str, name: str, value: int) -> None:
    """Raise `GraphError` unless a zero point or a limit is a byte."""
    if not BYTE[0] <= value <= BYTE[1]:
        raise GraphError(f"{name} of {op} must be an integer from {BYTE[0]} to {BYTE[1]}, but is {value!r}")


def ratio32(op: str, name: str, numerator: Array | float, denominator: Array | float) -> Array:
    """Return a quotient of scales, computed in float64 and rounded to float32 once.

    Raises
    ------
    GraphError
        If it is not a normal number: the scales are too far apart.
    """
    with np.errstate(over="ignore", under="ignore"):
        exact = np.asarray(numerator, np.float64) / np.asarray(denominator, np.float64)
        result = exact.astype(np.float32)
    if not ((result >= TINY) & np.isfinite(result)).all():
        raise GraphError(f"{name} of {op} would not be a normal float32: its scales are too far apart")
    return result


@frozen
class Grid:
    """What bytes stand for: ``(q - zero) * scale``.

    Examples
    --------
    >>> grid = Grid(0.5, 128)
    >>> grid.real(np.array([0, 128, 130], np.uint8))
    array([-64.,   0.,   1.], dtype=float32)
    >>> grid.nearest(np.array([-64.0, 1.0]))
    array([  0, 130], dtype=uint8)
    """

    scale: float
    zero: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", scale32("a grid", "scale", self.scale))
        byte("a grid", "zero", self.zero)

    def real(self, values: Array) -> Array:
        """Return what bytes stand for, bit-identical to `Dequantize`."""
        return (values.astype(np.int32) - self.zero).astype(np.float32) * np.float32(self.scale)

    def nearest(self, values: Array) -> Array:
        """Return numbers as bytes, bit-identical to `Quantize`."""
        inverse = ratio32("quantize", "1 / scale", 1.0, self.scale)
        with np.errstate(over="ignore", invalid="ignore"):
            return saturate(values.astype(np.float32) * inverse + np.float32(self.zero))

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest number that a byte stands for."""
        return (BYTE[0] - self.zero) * self.scale, (BYTE[1] - self.zero) * self.scale
