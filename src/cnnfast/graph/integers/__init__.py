"""From a graph of floats, and what bytes are to stand for in it, to a graph of integers.

Whoever knows the scale and zero point of each value can use this: calibration, and readers of files that are quantized.
"""

from cnnfast.graph.integers.check import check_integers
from cnnfast.graph.integers.convert import IntegerGraph, to_integers
from cnnfast.graph.integers.ends import grid_of, with_float_outputs
from cnnfast.graph.integers.flow import FLOAT_PASSES, LAYERS
from cnnfast.graph.integers.limits import with_merged_limits
from cnnfast.graph.integers.weights import IntegerWeights, grid_of_range, integer_weights

__all__ = [
    "FLOAT_PASSES",
    "LAYERS",
    "IntegerGraph",
    "IntegerWeights",
    "check_integers",
    "grid_of",
    "grid_of_range",
    "integer_weights",
    "to_integers",
    "with_float_outputs",
    "with_merged_limits",
]
