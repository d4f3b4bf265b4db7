"""From a graph of floats, and what its bytes will stand for, to a graph of integers.

Calibration uses this, and so do the readers of quantized files: both know the scale and zero point of each value.
"""

from cnnfast.graph.integers.convert import IntegerGraph, to_integers
from cnnfast.graph.integers.ends import grid_of, with_float_outputs
from cnnfast.graph.integers.flow import FLOAT_PASSES, LAYERS
from cnnfast.graph.integers.limits import with_merged_limits, with_rounded_means, without_implied_limits
from cnnfast.graph.integers.weights import IntegerWeights, grid_of_range, integer_weights

__all__ = [
    "FLOAT_PASSES",
    "LAYERS",
    "IntegerGraph",
    "IntegerWeights",
    "grid_of",
    "grid_of_range",
    "integer_weights",
    "to_integers",
    "with_float_outputs",
    "with_merged_limits",
    "with_rounded_means",
    "without_implied_limits",
]
