"""Weights, biases and ranges as integers."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import Grid, check_sums
from cnnfast.ops.quantized.conv_linear import LARGEST_SUM, MAX_WEIGHT
from cnnfast.ops.quantized.rounding import TINY

MAX_BIAS = 1 << 28
"""A scale of weights is raised until the bias of its channel is at most this: it leaves room for the sum."""


OFF_GRID = 0.01
"""How far from an integer a weight on a known scale may be: floats are rounded."""


@frozen
class IntegerWeights:
    """What an integer layer reads: int8 weights, int32 biases, and the unit of each sum."""

    weight: Array
    bias: Array
    unit: Array

    def real(self, x_scale: float) -> Array:
        """Return the weights that the integers stand for, in float64."""
        scales = self.unit.astype(np.float64) / x_scale
        result: Array = self.weight * scales.reshape(-1, *(1,) * (self.weight.ndim - 1))
        return result


def integer_weights(
    weight: Array, bias: Array | None, x: Grid, *, name: str = "a layer", scales: Array | None = None
) -> IntegerWeights:
    """Return the weights of a layer as integers, each output channel on its own scale.

    Parameters
    ----------
    weight : array (O, ...)
    bias : array (O,) or None
    x : Grid
        Of the layer's input.
    name : str
        Of the layer, for errors.
    scales : array (O,), optional
        Of the weights; by default the largest weight of each channel becomes 127.

    Raises
    ------
    GraphError
        If a sum could leave 32 bits, or weights are not integers from -127 to 127 on the ``scales`` passed.

    Examples
    --------
    >>> integers = integer_weights(np.array([[0.3, -1.0]]), np.array([0.2]), Grid(0.1, 3))
    >>> integers.weight, integers.bias
    (array([[  38, -127]], dtype=int8), array([254], dtype=int32))
    """
    wide = np.asarray(weight, np.float64)
    offset = np.zeros(len(wide)) if bias is None else np.asarray(bias, np.float64)
    is_given = scales is not None
    if scales is None:
        largest = np.abs(wide.reshape(len(wide), -1)).max(axis=1) / MAX_WEIGHT
        scales = np.maximum(largest, np.abs(offset) / (MAX_BIAS * x.scale))
        # a channel of zeros may have any scale
        scales = np.where(scales > 0, scales, 1.0)
    unit = np.maximum(x.scale * np.asarray(scales, np.float64), TINY).astype(np.float32)
    by_row = (unit.astype(np.float64) / x.scale).reshape(-1, *(1,) * (wide.ndim - 1))
    steps, sums = np.rint(wide / by_row), np.rint(offset / unit.astype(np.float64))
    # negated, so that NaN fails too
    if not (np.abs(steps).max() <= MAX_WEIGHT and np.abs(sums).max() <= LARGEST_SUM):
        raise GraphError(
            f"{name} has a weight of {np.abs(steps).max():g} steps or a bias of {np.abs(sums).max():g}; "
            f"the most are {MAX_WEIGHT} and {LARGEST_SUM}"
        )
    if is_given and np.abs(steps - wide / by_row).max() > OFF_GRID:
        raise GraphError(f"the weights of {name} are not integers on the scales that are given")
    integers, biases = steps.astype(np.int8), sums.astype(np.int32)
    check_sums(name, integers, biases, x.zero)
    return IntegerWeights(integers, biases, unit)


def grid_of_range(low: float, high: float) -> Grid:
    """Return the grid on which 256 bytes cover a range, with one byte for exactly zero.

    Examples
    --------
    >>> grid_of_range(0.0, 25.5).zero, grid_of_range(-1.0, 1.0).zero
    (0, 128)
    """
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = max((high - low) / 255, 1e-30) if high > low else 1.0
    return Grid(scale, int(np.clip(np.rint(-low / scale), 0, 255)))
