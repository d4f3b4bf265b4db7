"""What a step costs, roughly: to choose between two plans that give bit-identical results, never between algorithms.

The unit is a multiply-add of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from cnnfast.plan.choose import INPUT_COST, OUTPUT_COST, WINOGRAD
from cnnfast.plan.step import Step
from cnnfast.plan.winograd import OUTPUTS
from cnnfast.runtime.dispatch import kernels

MOVE = 2
"""The cost of a vector that is read and written by a step without weights."""

ELEMENT = 4
"""The cost of an element that is moved on its own."""


CACHED_WEIGHTS = 1 << 18
"""That many weights stay in the fast caches from one group of images to the next."""

WEIGHT = 0.375
"""The cost of a weight that does not, when it is read."""


def total_cost(steps: Sequence[Step]) -> float:
    """Return the work of all steps for one group of images, and what it costs to read their weights once."""
    weights = sum(weights_of(step) for step in steps)
    return total_work(steps) + (WEIGHT * weights if weights > CACHED_WEIGHTS else 0)


def weights_of(step: Step) -> int:
    """Return how many weights of convolutions and dense layers a step reads.

    Examples
    --------
    >>> weights_of(Step("y", "dense_f32_chwn_direct", ("x",), "y", ints=dict(K=100, O=10)))
    1000
    """
    g, known = step.ints, kernels.KERNELS[step.kernel]
    if known.op == "conv2d" and known.algorithm in WINOGRAD:
        return (WINOGRAD[known.algorithm] + OUTPUTS - 1) ** 2 * g["C"] * g["OC"]
    return g["K"] * g.get("O", g.get("OC", 1)) if known.op in ("dense", "conv2d") and "K" in g else 0


ROUND = 12
"""The cost of a vector of sums that become bytes, with channels in the lanes."""

MATRIX = 3
"""How many times as fast a layer of integers is by matrix tiles as by dot products of vectors."""


def total_work(steps: Iterable[Step]) -> float:
    """Return the work of all steps, for one group of images."""
    return sum(work(step) for step in steps)


def work(step: Step) -> float:
    """Return the work of a step.

    Examples
    --------
    >>> work(Step("y", "dense_f32_chwn_direct", ("x",), "y", ints=dict(K=100, O=10)))
    1000
    """
    g, known = step.ints, kernels.KERNELS[step.kernel]
    lanes = kernels.lanes() if known.layout == "nchwc" else 1
    if "blocks" in g:
        # a word holds four products, and a block four channels
        return g.get("positions", 1) * g["K"] * g["blocks"] * 4 / (MATRIX if known.algorithm == "matrix" else 1)
    if known.dtype == "u8" and "OC" in g:
        return g["positions"] * (g["K"] + ROUND) * _vectors(g["OC"], lanes)
    if known.op == "dense":
        return g["K"] * _vectors(g["O"], lanes)
    if known.op == "conv2d" and known.algorithm in WINOGRAD:
        kernel = WINOGRAD[known.algorithm]
        c, oc = g["C"], _vectors(g["OC"], lanes)
        transforms = INPUT_COST[kernel] * _vectors(c, lanes) + OUTPUT_COST[kernel] * oc
        return g["tiles"] * ((kernel + 3) ** 2 * c * oc + transforms)
    if known.op == "conv2d" and known.layout != "nchw":
        return g["positions"] * g["K"] * _outputs(g, known.algorithm, lanes)
    if known.algorithm == "elements":
        return g["count"] * ELEMENT
    if "OH" in g:
        return math.prod(g[name] for name in ("C", "OH", "OW", "KH", "KW"))
    return MOVE * math.prod(g[name] for name in ("A", "B", "C", "H", "W", "K") if name in g)


def _outputs(g: Mapping[str, int], algorithm: str, lanes: int) -> int:
    """Return how many vectors of output channels a direct convolution computes at each position."""
    if algorithm == "depthwise":
        return _vectors(g["C"], lanes)
    if algorithm == "grouped":
        return _vectors(g["C"], lanes) * lanes * ELEMENT
    return g.get("groups", 1) * _vectors(g["OC"], lanes)


def _vectors(channels: int, lanes: int) -> int:
    return -(-channels // lanes)
