"""Integers: the rules of all ops on bytes but layers with weights, whatever the lanes hold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Op
from cnnfast.ops.quantized import (
    Dequantize,
    Lookup,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool,
    QuantizedGlobalAvgPool,
    QuantizedMul,
)
from cnnfast.ops.quantized.rounding import ratio32
from cnnfast.plan.chwn.values import ChwnLowering, byte_rule, of_byte, rule
from cnnfast.plan.lowering import NodeIO, Triple, broadcast_strides, numbered, packed, strides_of, window_ints
from cnnfast.plan.pack_words import as_words


@rule(Quantize)
def _quantize(lowering: ChwnLowering, op: Quantize, site: NodeIO) -> None:
    x, y = lowering.float_strides(site.inputs[0]), lowering.strides(site.result)
    ints = _rows(lowering.byte_shapes[site.result], x, y) | dict(zero=op.zero)
    floats = dict(m=float(ratio32(op.name, "1 / scale", 1.0, op.scale)))
    lowering.emit(site, "quantize", site.inputs, dtype="u8", ints=ints, floats=floats)


@byte_rule(Dequantize)
def _dequantize(lowering: ChwnLowering, op: Dequantize, site: NodeIO) -> None:
    source = lowering.bytes_at(site.inputs[0])
    x, y = lowering.strides(source), lowering.float_strides(site.result)
    ints = _rows(lowering.byte_shapes[source], x, y) | dict(zero=op.zero)
    lowering.emit(site, "dequantize", (source,), dtype="u8", ints=ints, floats=dict(m=op.scale))


def _rows(shape: Triple, x: Triple, y: Triple) -> dict[str, int]:
    return dict(zip("CHW", shape, strict=True)) | dict(x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])


@byte_rule(Lookup)
def _lookup(lowering: ChwnLowering, op: Lookup, site: NodeIO) -> None:
    source = lowering.bytes_at(site.inputs[0])
    entries = lowering.graph.constants[site.inputs[1]]
    by_channel = entries.ndim == 2
    if by_channel:
        filling = np.zeros((-len(entries) % lowering.byte_block, 256), np.uint8)
        entries = np.concatenate([entries, filling])
    shape, x, y = lowering.extent(source), lowering.strides(source), lowering.strides(site.result)
    if not by_channel and x == y == strides_of(shape):
        shape = (1, 1, math.prod(shape))
    ints = _rows(shape, x, y) | dict(by_channel=int(by_channel))
    lowering.emit(site, "lookup", (source,), dtype="u8", ints=ints, parameters=(as_words(entries),))


@byte_rule(ops.MaxPool)
def _max_pool(lowering: ChwnLowering, op: ops.MaxPool, site: NodeIO) -> None:
    _pool(lowering, "max_pool", op, site)


@byte_rule(QuantizedAvgPool)
def _avg_pool(lowering: ChwnLowering, op: QuantizedAvgPool, site: NodeIO) -> None:
    multipliers = op.multiplier(op.on_numbers().divisors(*lowering.shapes[site.inputs[0]][1:]))
    x_zero, zero = op.zeros
    ints = dict(x_zero=x_zero, zero=zero, low=op.low, high=op.high)
    _pool(lowering, "avg_pool", op.on_numbers(), site, ints=ints, parameters=(packed(multipliers),))


@byte_rule(ops.GlobalMaxPool)
def _global_max_pool(lowering: ChwnLowering, op: ops.GlobalMaxPool, site: NodeIO) -> None:
    _, h, w = lowering.shapes[site.inputs[0]]
    _pool(lowering, "max_pool", ops.MaxPool((h, w)), site)


@byte_rule(QuantizedGlobalAvgPool)
def _global_avg_pool(lowering: ChwnLowering, op: QuantizedGlobalAvgPool, site: NodeIO) -> None:
    _, h, w = lowering.shapes[site.inputs[0]]
    ints = dict(x_zero=op.x_zero, zero=op.zero, low=op.low, high=op.high)
    multiplier = packed(op.multiplier(h * w)).reshape(1)
    _pool(lowering, "avg_pool", ops.AvgPool((h, w)), site, ints=ints, parameters=(multiplier,))


def _pool(
    lowering: ChwnLowering, kernel: str, op: Op, site: NodeIO, ints: dict[str, int] | None = None, **options: Any
) -> None:
    source = lowering.bytes_at(site.inputs[0])
    x, y = lowering.strides(source), lowering.strides(site.result)
    geometry = window_ints(op, lowering.extent(source), lowering.extent(site.result)) | (ints or {})
    geometry |= dict(x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])
    lowering.emit(site, kernel, (source,), dtype="u8", ints=geometry, **options)


@byte_rule(QuantizedAdd, QuantizedMul)
def _pair(lowering: ChwnLowering, op: QuantizedAdd | QuantizedMul, site: NodeIO) -> None:
    a, b = (lowering.bytes_at(v) for v in site.inputs)
    ranks = [len(lowering.shapes[v]) for v in (a, b)]
    if ranks[0] != ranks[1] or (ranks[0] > 3 and lowering.shapes[a] != lowering.shapes[b]):
        raise UnsupportedError(f"{op.name} of bytes of shapes {lowering.shapes[a]} and {lowering.shapes[b]}")
    whole = lowering.byte_shapes[site.result]
    strides = [broadcast_strides(lowering.strides(v), lowering.byte_shapes[v], whole) for v in (a, b)]
    spread = [int(lowering.byte_shapes[v][0] == 1 < whole[0]) for v in (a, b)]
    y = lowering.strides(site.result)
    ints = dict(zip("ABC", lowering.extent(site.result), strict=True)) | numbered(a=strides[0], b=strides[1])
    ints |= dict(y0=y[0], y1=y[1], a_spread=spread[0], b_spread=spread[1], a_zero=op.a_zero, b_zero=op.b_zero)
    ints |= dict(zero=op.zero, low=op.low, high=op.high)
    multipliers = [float(m) for m in op.multipliers()]
    floats = dict(a_m=multipliers[0], b_m=multipliers[-1])
    lowering.emit(site, op.name.removeprefix("quantized_"), (a, b), dtype="u8", ints=ints, floats=floats)


@byte_rule(ops.Flatten, ops.Reshape, ops.Identity, ops.Dropout)
def _alias(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    """Give a value a new shape at no cost: its bytes stay where they are, and `byte_shapes` has their order."""
    (source,) = site.inputs
    if source in lowering.halos or site.result in lowering.halos:
        _move(lowering, op, site)
        return
    lowering.aliases[site.result] = source
    lowering.byte_shapes[site.result] = lowering.byte_shapes[source]


@byte_rule(ops.Pad)
def _pad(lowering: ChwnLowering, op: ops.Pad, site: NodeIO) -> None:
    """Emit a move in which the border comes from no place, but is a byte itself."""
    _move(lowering, replace(op, value=float(of_byte(int(op.value)))) if op.mode == "constant" else op, site)


@byte_rule(ops.Transpose, ops.Slice, ops.Resize)
def _move(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    """Emit a move of bytes: the reference of the op, applied to their places, tells where each goes."""
    (source,) = site.inputs
    lowering.move_bytes(site, op.reference(lowering.byte_offsets(source)[None].astype(np.float64))[0])


@byte_rule(ops.Concat)
def _concat(lowering: ChwnLowering, op: ops.Concat, site: NodeIO) -> None:
    whole = lowering.byte_offsets(site.result)
    parts = [lowering.byte_offsets(v) for v in site.inputs]
    start, axis = 0, op.axis - 1
    for value, places in zip(site.inputs, parts, strict=True):
        target = whole.take(range(start, start + places.shape[axis]), axis)
        start += places.shape[axis]
        lowering.move_bytes(NodeIO(site.node, (value,), site.result), places, target)
