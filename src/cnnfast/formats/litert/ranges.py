"""The numbers that a quantized value can hold.

An operator on integers saturates: its result never leaves the range that the scale and the zero point of its output
leave to 8 bits. Converters count on that and drop a ReLU or ReLU6 where the range implies it, so a network that runs as
float must cut off as well, wherever its numbers could otherwise go beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from cnnfast.formats.channels_last import Value
from cnnfast.formats.litert.model import LiteRtTensor
from cnnfast.formats.litert.operator_call import Bounds, OperatorCall
from cnnfast.ops import Clip, Elu, Exp, LeakyRelu, Op, Relu, Round, Sigmoid, Sign, Tanh

ANY: Bounds = (-math.inf, math.inf)

MOVES = (
    *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CONCATENATION", "SPLIT", "SLICE", "STRIDED_SLICE"),
    *("MIRROR_PAD", "MAX_POOL_2D", "REDUCE_MAX", "REDUCE_MIN", "RESIZE_NEAREST_NEIGHBOR"),
)
"""Operators whose results are among their inputs."""

MEANS = ("AVERAGE_POOL_2D", "MEAN", "RESIZE_BILINEAR")
"""Operators whose results are between their inputs."""

SAME = ("QUANTIZE", "DEQUANTIZE", "CAST")
"""Operators that keep a number, or bring it nearer to zero."""

RISING: dict[str, Op] = {
    "RELU": Relu(),
    "RELU6": Clip(0, 6),
    "RELU_N1_TO_1": Clip(-1, 1),
    "RELU_0_TO_1": Clip(0, 1),
    "LOGISTIC": Sigmoid(),
    "TANH": Tanh(),
    "ELU": Elu(),
    "EXP": Exp(),
    "SIGN": Sign(),
    "ROUND": Round(),
}
"""Functions that never fall."""

CORNERS: dict[str, Callable[[float, float], float]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "MAXIMUM": max,
    "MINIMUM": min,
}
"""Arithmetic whose extremes are at those of the operands."""


def bounds_before_activation(call: OperatorCall) -> Bounds:
    """Return the bounds of the results of an operator, without its fused activation."""
    kind, options = call.operator.kind, call.operator.options
    if kind in (*MOVES, *MEANS, *SAME):
        return _hull(_computed(call))
    if kind in ("PAD", "PADV2"):
        # a padding of LiteRT is the number 0, or what its third input says
        fill = _numbers(call, 2) if kind == "PADV2" else (0.0, 0.0)
        return _hull([*_computed(call), fill])
    if kind in RISING:
        return _ends(RISING[kind], _hull(_computed(call)))
    if kind == "LEAKY_RELU" and (slope := float(options["Alpha"])) >= 0:
        return _ends(LeakyRelu(slope), _hull(_computed(call)))
    if kind == "SOFTMAX":
        return 0.0, 1.0
    if kind in CORNERS:
        return _corners(CORNERS[kind], _numbers(call, 0), _numbers(call, 1))
    return ANY


def tail(activation: Op | None, before: Bounds, tensor: LiteRtTensor) -> tuple[Op | None, Bounds]:
    """Return what follows an operator, its activation and the saturation of its result in one, and bounds behind it.

    Examples
    --------
    >>> six = LiteRtTensor("y", (1, 4), "UINT8", None, np.array([6 / 255]), np.array([0]), 0)
    >>> tail(None, ANY, six)
    (Clip(low=0.0, high=6.0), (0.0, 6.0))
    >>> tail(Clip(0, 6), ANY, six)
    (Clip(low=0, high=6), (0.0, 6.0))
    >>> tail(None, (0.0, 1.0), six)
    (None, (0.0, 1.0))
    """
    after = before if activation is None else _ends(activation, before)
    limits = tensor.limits()
    if limits is None:
        return activation, after
    low, high = limits
    step = float(tensor.scales[0])
    # rounding moves a number by as much
    if low - step <= after[0] and after[1] <= high + step:
        return activation, after
    if activation is not None:
        first, last = _ends(activation, ANY)
        low, high = min(max(first, low), high), max(min(last, high), low)
    return Clip(low, high), (max(after[0], low), min(after[1], high))


def _computed(call: OperatorCall) -> Iterable[Bounds]:
    return [call.bounds[i] for i in call.operator.inputs if isinstance(call.values.get(i), Value)]


def _numbers(call: OperatorCall, index: int) -> Bounds:
    """Return the bounds of an input: a value, or the smallest and largest number of a constant."""
    operand = call.operand(index)
    if isinstance(operand, Value):
        return call.bounds[call.operator.inputs[index]]
    array = np.asarray(operand, np.float64)
    return (float(array.min()), float(array.max())) if array.size else ANY


def _hull(bounds: Iterable[Bounds]) -> Bounds:
    lows, highs = zip(*bounds, strict=True) if (bounds := list(bounds)) else ((-math.inf,), (math.inf,))
    return min(lows), max(highs)


def _ends(op: Op, bounds: Bounds) -> Bounds:
    with np.errstate(all="ignore"):
        low, high = op.reference(np.array(bounds))
    return float(low), float(high)


def _corners(function: Callable[[float, float], float], a: Bounds, b: Bounds) -> Bounds:
    corners = [function(x, y) for x in a for y in b]
    # zero times infinity, or infinity less infinity: nothing is known
    return ANY if any(map(math.isnan, corners)) else (min(corners), max(corners))
