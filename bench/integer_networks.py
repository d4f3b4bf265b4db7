"""The networks of the benchmarks in eight-bit integers, as `cnnfast.quantize` makes them, and a check to the bit."""

from __future__ import annotations

from functools import cache

import numpy as np
from networks import BENCHES, Bench

from cnnfast import Network, quantize
from cnnfast.graph import evaluate

CALIBRATION = 16
"""Random pictures that ranges are taken from: few will do, since what the integers mean does not change their speed."""


CALIBRATION_OF_PEERS = 300
"""What engines that are compared get: as many as a user would take."""


@cache
def integer_network(id: str) -> Network:
    """Return a network of integers; that of n6 and n7 takes some seconds."""
    bench = BENCHES[id]
    return quantize(bench.network(), bench.pictures(CALIBRATION, seed=2), threads=1).network


def calibration_pictures(bench: Bench) -> np.ndarray:
    """Return the random pictures that all engines take ranges from when they are compared."""
    return bench.pictures(CALIBRATION_OF_PEERS, seed=2)


def check_exact(net: Network, pictures: np.ndarray, few: int = 2) -> None:
    """Compare scores of pictures, the first ``few`` of which the reference computes too, to the bit.

    Raises
    ------
    AssertionError
        If one differs: a defect of cnnfast.
    """
    (entry,), (scores,) = net.graph.inputs, net.graph.outputs
    expected = evaluate(net.graph, {entry: net.preprocess(pictures[:few])})[scores]
    np.testing.assert_array_equal(net.forward(pictures)[:few].reshape(few, -1), expected.reshape(few, -1))
