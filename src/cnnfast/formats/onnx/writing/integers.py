"""Ops on bytes, as numbers between DequantizeLinear and QuantizeLinear: programs fuse these into their own integers.

Bytes are bytes in the file, too. Sums, which are int32 here, are the numbers there that they stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.formats.onnx.writing.elements import aligned
from cnnfast.formats.onnx.writing.layers import means, window
from cnnfast.formats.onnx.writing.rules import WRITE_RULES, writes
from cnnfast.formats.onnx.writing.target import WriteCall, grid_of
from cnnfast.graph import Node
from cnnfast.ops import Array, Op, quantized
from cnnfast.ops.quantized import Grid


@writes(quantized.Quantize)
def quantize(call: WriteCall) -> None:
    """Divide by the scale there, multiply by one over it here: that may be one step apart."""
    call.finish("QuantizeLinear", call.input(0), *call.grid(call.op.scale, call.op.zero))


@writes(quantized.Dequantize)
def dequantize(call: WriteCall) -> None:
    """Write the same formula."""
    call.finish("DequantizeLinear", call.input(0), *call.grid(call.op.scale, call.op.zero))


def numbers(call: WriteCall, index: int, scale: float, zero: int) -> str:
    """Return the numbers that an input of bytes stands for."""
    return call.emit("DequantizeLinear", call.input(index), *call.grid(scale, zero))


def finish_bytes(call: WriteCall, x: str) -> None:
    """Round numbers to the bytes of the result; limits are activations before that."""
    call.finish("QuantizeLinear", *_limited(call, x))


def _limited(call: WriteCall, x: str) -> tuple[str, ...]:
    """Return numbers within their limits, and the grid that they are rounded to."""
    op: Any = call.op
    if (op.low, op.high) == (op.zero, 255):
        x = call.emit("Relu", x)
    elif (op.low, op.high) != (0, 255):
        low, high = ((limit - op.zero) * op.scale for limit in (op.low, op.high))
        x = call.emit("Clip", x, call.add("low", low), call.add("high", high))
    return x, *call.grid(op.scale, op.zero)


@writes(quantized.IntegerConv2d)
def integer_conv2d(call: WriteCall) -> None:
    """Write a convolution of the numbers."""
    op = call.op.on_numbers()
    call.finish("Conv", *_operands(call), **window(op), group=op.groups, kernel_shape=list(call.shapes[1][2:]))


@writes(quantized.IntegerLinear)
def integer_linear(call: WriteCall) -> None:
    """Write a dense layer on the numbers."""
    call.finish("Gemm", *_operands(call), transB=1)


def _operands(call: WriteCall) -> list[str]:
    """Return the numbers that input, weights and bias stand for."""
    scale, zero = grid_of(call.graph, call.node.inputs[0])
    if zero != call.op.x_zero:
        raise UnsupportedError(
            f"node {call.node.name!r} takes the byte {call.op.x_zero} for zero, but that of its input is {zero}"
        )
    unit = _unit(call)
    weight = call.emit("DequantizeLinear", call.input(1), call.add("weight_scale", unit / np.float32(scale)), axis=0)
    bias = call.emit("DequantizeLinear", call.input(2), call.add("unit", unit), axis=0)
    return [numbers(call, 0, scale, zero), weight, bias]


def _unit(call: WriteCall) -> Array:
    """Return what 1 in each sum stands for, as those that read the sums say."""
    readers = call.graph.consumers[call.node.name]
    units = [call.graph.constants[reader.inputs[len(reader.op.data)]] for reader in readers]
    if not units or any(not np.array_equal(unit, units[0]) for unit in units):
        raise UnsupportedError(f"the sums of node {call.node.name!r} stand for different numbers where they are read")
    return units[0]


@writes(quantized.DequantizeSums)
def dequantize_sums(call: WriteCall) -> None:
    """Sums are numbers already."""
    call.finish("Identity", call.input(0))


@writes(quantized.Requantize)
def requantize(call: WriteCall) -> None:
    """Round the numbers."""
    finish_bytes(call, call.input(0))


@writes(quantized.RequantizeAdd)
def requantize_add(call: WriteCall) -> None:
    """Add before rounding."""
    other = numbers(call, 1, call.op.r_scale, call.op.r_zero)
    finish_bytes(call, call.emit("Add", call.input(0), other))


@writes(quantized.QuantizedAdd, quantized.QuantizedMul)
def quantized_two(call: WriteCall) -> None:
    """Add or multiply the numbers of both."""
    op: Any = call.op
    both = []
    for index, (scale, zero) in enumerate(((op.a_scale, op.a_zero), (op.b_scale, op.b_zero))):
        both.append(call.emit("DequantizeLinear", aligned(call, index), *call.grid(scale, zero)))
    finish_bytes(call, call.emit("Add" if isinstance(op, quantized.QuantizedAdd) else "Mul", *both))


@writes(quantized.QuantizedAvgPool)
def quantized_avg_pool(call: WriteCall) -> None:
    """Take means of the numbers; where halves go is up to the program, one step apart."""
    op: Any = call.op
    kind, inputs, attributes = means(call, op.on_numbers(), numbers(call, 0, op.x_scale, op.x_zero))
    finish_bytes(call, call.emit(kind, *inputs, **attributes))


@writes(quantized.QuantizedGlobalAvgPool)
def quantized_global_avg_pool(call: WriteCall) -> None:
    """Take means of the numbers of each channel."""
    op: Any = call.op
    y = call.emit("GlobalAveragePool", numbers(call, 0, op.x_scale, op.x_zero))
    if op.keep_dims:
        finish_bytes(call, y)
        return
    # rounded before they move, so that programs see what the numbers of the pool are rounded to
    call.finish("Flatten", call.emit("QuantizeLinear", *_limited(call, y)), axis=1)


ACTIVATIONS: tuple[Op, ...] = (
    *(ops.Relu(), ops.Clip(), ops.LeakyRelu(), ops.LeakyRelu(0.1), ops.LeakyRelu(0.2), ops.Elu(), ops.Sigmoid()),
    *(ops.Tanh(), ops.HardSigmoid(), ops.HardSigmoid(0.2), ops.HardSwish(), ops.Silu(), ops.Gelu(), ops.Gelu("tanh")),
    *(ops.Mish(), ops.Softplus(), ops.Softsign(), ops.Abs(), ops.Identity()),
)
"""Functions that a table is compared with, so that it is written as what it came from."""


@writes(quantized.Lookup)
def lookup(call: WriteCall) -> None:
    """Write the activation whose table it is, on numbers; or else take elements of the table."""
    function = _function(call)
    if function is None:
        _take(call)
        return
    x = call.emit("DequantizeLinear", call.input(0), *call.grid_of(0))
    name = call.target.fresh(f"{call.node.name}/{function.name}")
    WRITE_RULES[type(function)](WriteCall(Node(name, function, (x,)), call.graph, call.target))
    call.finish("QuantizeLinear", name, *call.grid(call.op.scale, call.op.zero))


def _function(call: WriteCall) -> Op | None:
    """Return the activation that a table was made of, or None."""
    table, x = call.constant(1), Grid(*grid_of(call.graph, call.node.inputs[0]))
    y = Grid(call.op.scale, call.op.zero)
    numbers_of_all = x.real(np.arange(256, dtype=np.uint8)).astype(np.float64)
    if table.ndim > 1:
        return None
    with np.errstate(all="ignore"):
        return next((op for op in ACTIVATIONS if np.array_equal(y.nearest(op.reference(numbers_of_all)), table)), None)


def _take(call: WriteCall) -> None:
    """Take elements of a table; each channel has its part of one long table."""
    table, index = call.constant(1), call.emit("Cast", call.input(0), to=TensorProto.INT64)
    if table.ndim > 1:
        starts = 256 * np.arange(len(table)).reshape(-1, *(1,) * (call.rank - 1))
        index = call.emit("Add", index, call.whole("starts", starts))
    call.finish("Gather", call.add("table", table.reshape(-1), np.uint8), index, axis=0)
