"""Functions of one element."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from onnx import TensorProto

from cnnfast import ops
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.proto import DTYPES, REAL
from cnnfast.formats.onnx.values import OnnxImages, Static
from cnnfast.ops import Array, Op

PLAIN: dict[str, Callable[[NodeCall], Op]] = {
    "Sigmoid": lambda call: ops.Sigmoid(),
    "Tanh": lambda call: ops.Tanh(),
    "HardSwish": lambda call: ops.HardSwish(),
    "Softplus": lambda call: ops.Softplus(),
    "Sign": lambda call: ops.Sign(),
    "Round": lambda call: ops.Round(),
    "Softsign": lambda call: ops.Softsign(),
    "Mish": lambda call: ops.Mish(),
    "Abs": lambda call: ops.Abs(),
    "Sqrt": lambda call: ops.Sqrt(),
    "Exp": lambda call: ops.Exp(),
    "Log": lambda call: ops.Log(),
    "Erf": lambda call: ops.Erf(),
    "LeakyRelu": lambda call: ops.LeakyRelu(call.real("alpha", 0.01)),
    "Elu": lambda call: ops.Elu(call.real("alpha", 1.0)),
    "HardSigmoid": lambda call: ops.HardSigmoid(call.real("alpha", 0.2), call.real("beta", 0.5)),
    "ThresholdedRelu": lambda call: ops.ThresholdedRelu(call.real("alpha", 1.0)),
    "Gelu": lambda call: ops.Gelu(call.text("approximate", "none")),
    "Identity": lambda call: ops.Identity(),
}
"""Operators that are one op, made from their attributes."""


@operator(*PLAIN)
def plain(call: NodeCall) -> OnnxImages:
    """Emit the op of `PLAIN`."""
    return call.emit(PLAIN[call.kind](call), call.images(0))


@operator("Relu")
def relu(call: NodeCall) -> OnnxImages:
    """Take what is not negative; of integers (from opset 14 on), what is not below the integer 0."""
    x = call.images(0)
    return call.emit(ops.Relu(), x) if x.integers is None else call.emit(ops.Maximum(), x, np.zeros((), np.int64))


@operator("Dropout")
def dropout(call: NodeCall) -> OnnxImages:
    """Do nothing: elements are dropped in training only."""
    if call.has(2) and call.static(2).any():
        raise UnsupportedError("training_mode")
    call.ignore("ratio", "seed")
    return call.emit(ops.Dropout(), call.images(0))


@operator("Cast", "CastLike")
def cast(call: NodeCall) -> OnnxImages:
    """Do nothing to real numbers, since all arithmetic is in float32; make integers of the file real numbers."""
    kind = call.integer("to") if call.kind == "Cast" else _kind_of(call.value(1))
    if kind not in REAL:
        raise UnsupportedError(f"a cast of images to type {kind}; all arithmetic is in float32")
    # how floats of eight bits are rounded, which are not read
    call.ignore("saturate", "round_mode")
    x = call.images(0)
    if x.integers is not None and isinstance(x.integers.scale, str):
        # a scale found in the images is still to come, by Mul
        held = replace(x.integers, dtype=np.dtype(np.float32))
        return replace(call.emit(ops.Identity(), x.real), integers=held)
    y = numbers(call, x)
    return call.emit(ops.Identity(), y) if y.name == x.name else y


def _kind_of(value: OnnxImages | Static) -> int:
    dtype = value.pair[0].dtype if isinstance(value, Static) else value.integers and value.integers.dtype
    return TensorProto.FLOAT if dtype is None else next((k for k, d in DTYPES.items() if d == dtype), 0)


def numbers(call: NodeCall, x: OnnxImages) -> OnnxImages:
    """Emit the integers of the file as numbers; real numbers stay what they are."""
    integers = x.integers
    if integers is None or integers.is_raw:
        return x.real
    if isinstance(integers.scale, str) or isinstance(integers.zero, str):
        raise UnsupportedError(f"it needs the {integers} themselves")
    y = call.emit(ops.Mul(), x.real, np.asarray(1 / integers.scale))
    return call.emit(ops.Add(), y, np.asarray(integers.zero)) if integers.zero else y


@operator("Selu")
def selu(call: NodeCall) -> OnnxImages:
    """``gamma * elu(x)``."""
    alpha, gamma = call.real("alpha", 1.67326319217681884765625), call.real("gamma", 1.05070102214813232421875)
    return call.emit(ops.Mul(), call.emit(ops.Elu(alpha), call.images(0)), np.asarray(gamma))


@operator("Celu")
def celu(call: NodeCall) -> OnnxImages:
    """``alpha * elu(x / alpha)``."""
    alpha = call.real("alpha", 1.0)
    if alpha == 0:
        raise ModelFileError("alpha of Celu must not be 0")
    inner = call.emit(ops.Elu(), call.emit(ops.Mul(), call.images(0), np.asarray(1 / alpha)))
    return call.emit(ops.Mul(), inner, np.asarray(alpha))


@operator("Swish")
def swish(call: NodeCall) -> OnnxImages:
    """``x * sigmoid(alpha * x)``."""
    x, alpha = call.images(0), call.real("alpha", 1.0)
    if alpha == 1:
        return call.emit(ops.Silu(), x)
    return call.emit(ops.Mul(), x, call.emit(ops.Sigmoid(), call.emit(ops.Mul(), x, np.asarray(alpha))))


@operator("Neg", "Reciprocal")
def opposite(call: NodeCall) -> OnnxImages:
    """``-x`` and ``1 / x``."""
    x = call.images(0)
    if call.kind == "Neg":
        return call.emit(ops.Mul(), x, np.asarray(-1.0))
    return call.emit(ops.Div(), np.asarray(1.0), x)


@operator("Pow")
def power(call: NodeCall) -> OnnxImages:
    """Raise to a constant power that products, quotients and roots can make."""
    x = call.images(0)
    exponent = call.number(1) if call.static(1).size == 1 else math.nan
    if exponent == 0.5:
        return call.emit(ops.Sqrt(), x)
    if exponent == -0.5:
        return call.emit(ops.Div(), np.asarray(1.0), call.emit(ops.Sqrt(), x))
    if not (exponent.is_integer() and 1 <= abs(exponent) <= 8):
        raise UnsupportedError(f"the power {call.static(1).reshape(-1)[:4].tolist()}; 1/2, -1/2 and -8 to 8 are run")
    y = x
    for _ in range(int(abs(exponent)) - 1):
        y = call.emit(ops.Mul(), y, x)
    if exponent < 0:
        return call.emit(ops.Div(), np.asarray(1.0), y)
    return y if y is not x else call.emit(ops.Identity(), x)


@operator("PRelu")
def prelu(call: NodeCall) -> OnnxImages:
    """Multiply what is negative by a slope: one, one for each channel, or one for each element."""
    x, value = call.images(0), call.value(1)
    if isinstance(value, Static):
        slope = value.of_one_image(len(x.shape)).astype(np.float32)
        if slope.size == 1:
            return call.emit(ops.PRelu(), x, slope.reshape(1))
        if slope.ndim == len(x.shape) and slope.size == slope.shape[0] == x.shape[0]:
            return call.emit(ops.PRelu(), x, slope.reshape(-1))
        factor: OnnxImages | Array = slope
    else:
        factor = value
    zero = np.asarray(0.0)
    below = call.emit(ops.Mul(), call.emit(ops.Minimum(), x, zero), factor)
    return call.emit(ops.Add(), call.emit(ops.Maximum(), x, zero), below)


@operator("Clip")
def clip(call: NodeCall) -> OnnxImages:
    """Limit from both sides, from one, or from none."""
    x = call.images(0)
    if call.opset < 11:
        low, high = call.bound("min", -math.inf), call.bound("max", math.inf)
    else:
        low, high = call.number(1, -math.inf), call.number(2, math.inf)
    if x.integers is not None:
        low, high = (float(x.integers.numbers(np.asarray(bound))) for bound in (low, high))
    return clipped(call, x, low, high)


LARGEST = float(np.finfo(np.float32).max)
"""What exporters write for no bound."""


def clipped(call: NodeCall, x: OnnxImages, low: float, high: float) -> OnnxImages:
    """Emit a clip; a bound that is infinite, or as good as, is left out."""
    if math.isnan(low) or math.isnan(high):
        raise ModelFileError(f"the bounds of Clip are {low} and {high}")
    bounded = low > -LARGEST, high < LARGEST
    if all(bounded) and low <= high:
        return call.emit(ops.Clip(low, high), x)
    held, x = x.integers, x.real
    if bounded == (True, False) and low == 0:
        x = call.emit(ops.Relu(), x)
    else:
        if bounded[0]:
            x = call.emit(ops.Maximum(), x, np.asarray(low))
        if bounded[1]:
            x = call.emit(ops.Minimum(), x, np.asarray(high))
        x = x if any(bounded) else call.emit(ops.Identity(), x)
    return replace(x, integers=held)
