"""Operators of LiteRT with windows or weights, and arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.litert.operator_call import Apply, OperatorCall, operator
from cnnfast.formats.litert.rounding import floor
from cnnfast.ops import Array, Op

PADDING = {0: "same", 1: "valid"}


def _window(call: OperatorCall) -> dict[str, Any]:
    options = call.operator.options
    stride, padding = (options["StrideH"], options["StrideW"]), options["Padding"]
    if padding not in PADDING or min(stride) < 1:
        raise ModelFileError(f"padding must be 0 or 1 and strides at least 1, but they are {padding} and {stride}")
    return dict(stride=stride, padding=PADDING[padding])


def _dilation(call: OperatorCall) -> tuple[int, int]:
    dilation = call.operator.options["DilationHFactor"], call.operator.options["DilationWFactor"]
    if min(dilation) < 1:
        raise ModelFileError(f"dilation must be at least 1, but is {dilation}")
    return dilation


def _filters(call: OperatorCall, axes: int) -> Array:
    weight = np.asarray(call.array(1), np.float32)
    if weight.ndim != axes or weight.size == 0:
        raise ModelFileError(f"its weight must have {axes} axes, none of them empty, but is of shape {weight.shape}")
    return weight


@operator("CONV_2D")
def _conv(call: OperatorCall) -> Value:
    weight, bias, x = _filters(call, 4), call.optional(2), call.value()
    groups = x.shape[-1] // weight.shape[3]
    options = _window(call) | dict(dilation=_dilation(call), groups=max(groups, 1))
    # of the sums of an interpreter for integers
    call.operator.options.without_effect("QuantizedBiasType")
    return call.graph.conv(call.name, x, weight.transpose(0, 3, 1, 2), bias, **options)


@operator("DEPTHWISE_CONV_2D")
def _depthwise(call: OperatorCall) -> Value:
    weight, bias, x = _filters(call, 4), call.optional(2), call.value()
    options = _window(call) | dict(dilation=_dilation(call), groups=x.shape[-1])
    multiplier = call.operator.options["DepthMultiplier"]
    if multiplier not in (0, weight.shape[3] // x.shape[-1]):
        raise ModelFileError(
            f"it makes {multiplier} of each of {x.shape[-1]} channels, but its weight {weight.shape[3]}"
        )
    return call.graph.conv(call.name, x, weight.transpose(3, 0, 1, 2), bias, **options)


@operator("FULLY_CONNECTED")
def _fully_connected(call: OperatorCall) -> Value:
    if call.operator.options["WeightsFormat"] != 0:
        raise UnsupportedError("its weights are shuffled; convert the model with weights in the default format")
    weight, bias, x = _filters(call, 2), call.optional(2), call.value()
    # how an interpreter for integers rounds
    call.operator.options.without_effect("AsymmetricQuantizeInputs", "QuantizedBiasType")
    if not call.operator.options["KeepNumDims"] and math.prod(x.shape) == weight.shape[1]:
        x = call.graph.flatten(f"{call.name}/flatten", x)
    return call.graph.dense(call.name, x, weight, bias)


@operator("BATCH_MATMUL")
def _batch_matmul(call: OperatorCall) -> Value:
    options, x = call.operator.options, call.value()
    # how an interpreter for integers rounds
    options.without_effect("AsymmetricQuantizeInputs")
    if options["AdjX"]:
        x = call.graph.transpose(f"{call.name}/x", x, _last_two_turned(len(x.shape)))
    other = call.without_batch(1, len(x.shape))
    if isinstance(other, Value):
        if options["AdjY"]:
            other = call.graph.transpose(f"{call.name}/y", other, _last_two_turned(len(other.shape)))
        return call.graph.matmul(call.name, x, other)
    if other.ndim < 2 or other.size != math.prod(other.shape[-2:]):
        raise UnsupportedError(
            f"its second factor is a constant of shape {other.shape}; supported: one matrix, or a value"
        )
    matrix = other.reshape(other.shape[-2:])
    return call.graph.dense(call.name, x, matrix if options["AdjY"] else matrix.T)


def _last_two_turned(rank: int) -> list[int]:
    if rank < 2:
        raise UnsupportedError("it turns a value of one axis")
    return [*range(rank - 2), rank - 1, rank - 2]


def _pool(kind: type[ops.MaxPool | ops.AvgPool]) -> Apply:
    def apply(call: OperatorCall) -> Value:
        kernel = call.operator.options["FilterHeight"], call.operator.options["FilterWidth"]
        return call.graph.pool(call.name, kind, call.value(), kernel, **_window(call))

    return apply


operator("MAX_POOL_2D")(_pool(ops.MaxPool))
operator("AVERAGE_POOL_2D")(_pool(ops.AvgPool))


def _pair(op: ops.Binary) -> Apply:
    def apply(call: OperatorCall) -> Value:
        operands = [call.operand(index) for index in (0, 1)]
        rank = max((len(v.shape) for v in operands if isinstance(v, Value)), default=0)
        a, b = (call.without_batch(index, rank) for index in (0, 1))
        # how an interpreter for integers of 16 bits rounds
        call.operator.options.without_effect("PotScaleInt16")
        return call.graph.pair(call.name, op, a, b)

    return apply


for _kind, _op in {
    "ADD": ops.Add(),
    "SUB": ops.Sub(),
    "MUL": ops.Mul(),
    "DIV": ops.Div(),
    "MAXIMUM": ops.Maximum(),
    "MINIMUM": ops.Minimum(),
}.items():
    operator(_kind)(_pair(_op))


def _each(op: Op) -> Apply:
    return lambda call: call.graph.each(call.name, op, call.value())


for _name, _function in {
    "RELU": ops.Relu(),
    "RELU6": ops.Clip(0, 6),
    "RELU_N1_TO_1": ops.Clip(-1, 1),
    "RELU_0_TO_1": ops.Clip(0, 1),
    "LOGISTIC": ops.Sigmoid(),
    "TANH": ops.Tanh(),
    "HARD_SWISH": ops.HardSwish(),
    "ELU": ops.Elu(),
    "EXP": ops.Exp(),
    "ABS": ops.Abs(),
    "SQRT": ops.Sqrt(),
    "SIGN": ops.Sign(),
    "ROUND": ops.Round(),
}.items():
    operator(_name)(_each(_function))


@operator("LEAKY_RELU")
def _leaky_relu(call: OperatorCall) -> Value:
    return call.graph.each(call.name, ops.LeakyRelu(float(call.operator.options["Alpha"])), call.value())


@operator("GELU")
def _gelu(call: OperatorCall) -> Value:
    op = ops.Gelu("tanh" if call.operator.options["Approximate"] else "none")
    return call.graph.each(call.name, op, call.value())


@operator("PRELU")
def _prelu(call: OperatorCall) -> Value:
    slope = call.without_batch(1, len(call.value().shape))
    if isinstance(slope, Value):
        raise UnsupportedError("its slopes are computed; cnnfast reads constants")
    return call.graph.prelu(call.name, call.value(), slope)


@operator("FLOOR")
def _floor(call: OperatorCall) -> Value:
    return floor(call.graph, call.name, call.value())


@operator("CEIL")
def _ceil(call: OperatorCall) -> Value:
    x = call.graph.pair(f"{call.name}/negative", ops.Mul(), call.value(), np.array(-1.0))
    return call.graph.pair(call.name, ops.Mul(), floor(call.graph, f"{call.name}/floor", x), np.array(-1.0))


@operator("RSQRT")
def _rsqrt(call: OperatorCall) -> Value:
    root = call.graph.each(f"{call.name}/sqrt", ops.Sqrt(), call.value())
    return call.graph.pair(call.name, ops.Div(), np.array(1.0), root)


@operator("NEG")
def _neg(call: OperatorCall) -> Value:
    return call.graph.pair(call.name, ops.Mul(), call.value(), np.array(-1.0))


@operator("SQUARE")
def _square(call: OperatorCall) -> Value:
    return call.graph.pair(call.name, ops.Mul(), call.value(), call.value())


@operator("SQUARED_DIFFERENCE")
def _squared_difference(call: OperatorCall) -> Value:
    a, b = call.value(0), call.value(1)
    difference = call.graph.pair(f"{call.name}/difference", ops.Sub(), a, b)
    return call.graph.pair(call.name, ops.Mul(), difference, difference)


@operator("SOFTMAX")
def _softmax(call: OperatorCall) -> Value:
    beta, x = float(call.operator.options["Beta"]), call.value()
    if not beta > 0:
        raise UnsupportedError(f"its beta is {beta}; supported: a number above 0")
    if beta != 1:
        x = call.graph.pair(f"{call.name}/beta", ops.Mul(), x, np.array(beta))
    return call.graph.softmax(call.name, ops.Softmax, x)


@operator("LOG_SOFTMAX")
def _log_softmax(call: OperatorCall) -> Value:
    return call.graph.softmax(call.name, ops.LogSoftmax, call.value())
