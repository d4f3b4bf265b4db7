"""Integers with images in the lanes: convolutions and dense layers, and how their sums become bytes or floats."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, Conv2d, Fused, MaxPool, Op, Shape
from cnnfast.ops.quantized import (
    DequantizeSums,
    IntegerConv2d,
    IntegerLinear,
    Requantize,
    RequantizeAdd,
    check_sums,
    corrected_bias,
)
from cnnfast.plan.chwn.algorithms import pixel_table, result_positions
from cnnfast.plan.chwn.values import ChwnLowering, byte_rule
from cnnfast.plan.lowering import NodeIO, Triple, packed
from cnnfast.plan.offsets import pixel_offsets, position_block, table, tap_offsets
from cnnfast.plan.pack_words import (
    as_words,
    block_count,
    by_block,
    depthwise_taps,
    group_windows,
    pack_conv,
    pack_depthwise,
)
from cnnfast.runtime.dispatch import kernels

FIRST_LEVEL_BYTES = 3 << 13
"""What a block of positions may read to stay in the first-level cache with its results."""

MOST_WORDS = 1.2
"""How many times the words of its features a flattened image may take; beyond that its bytes are moved."""

LARGEST = float(1 << 30)
"""Products beyond which floats are limited before they are rounded: well inside of 32 bits."""


@frozen
class _Rounding:
    """What the sums of a layer are turned into."""

    ints: dict[str, int]
    floats: dict[str, float]
    multipliers: Array
    residual: str | None
    pool: bool


@byte_rule(Fused)
def _fused(lowering: ChwnLowering, op: Fused, site: NodeIO) -> None:
    """Emit a layer with what follows its sums; a pool that the kernel does not take is a separate step."""
    (base, inputs), (rounding, extra), *rest = op.steps(*site.inputs)
    shape = base.shape(*(lowering.shapes[v] for v in inputs))
    pool = rest[0][0] if rest else None
    fits = isinstance(base, IntegerConv2d) and shape[1:] != (1, 1) and _is_halving(pool, shape)
    value = site.result if fits or pool is None else f"{site.result}:0"
    if value != site.result:
        lowering.add_bytes(value, shape)
    end = _rounding(lowering, rounding, extra, fits)
    here = NodeIO(site.node, inputs, value)
    if isinstance(base, IntegerConv2d):
        _conv2d(lowering, base, here, end, shape)
    elif isinstance(base, IntegerLinear):
        _linear(lowering, base, here, end, shape)
    else:
        raise UnsupportedError(f"nothing rounds the result of {base.name}")
    if pool and value != site.result:
        lowering.lower(pool, NodeIO(site.node, (value,), site.result))


@byte_rule(IntegerConv2d, IntegerLinear)
def _alone(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    raise UnsupportedError(f"the sums of {op.name} are read by more than one op, or by none that rounds them")


def _is_halving(pool: Op | None, shape: Shape) -> bool:
    return isinstance(pool, MaxPool) and pool == MaxPool((2, 2)) and min(shape[1:]) >= 2


def _rounding(lowering: ChwnLowering, op: Op, extra: tuple[str, ...], pool: bool) -> _Rounding:
    unit = lowering.graph.constants[extra[-1]]
    ints = dict(zero=0, low=0, high=255, to_float=0, r_zero=0)
    match op:
        case DequantizeSums():
            return _Rounding(ints | dict(to_float=1), dict(r_m=0.0), packed(unit), None, pool)
        case Requantize():
            ints |= dict(zero=op.zero, low=op.low, high=op.high)
            return _Rounding(ints, dict(r_m=0.0), op.multipliers(unit), None, pool)
        case RequantizeAdd():
            ints |= dict(zero=op.zero, low=op.low, high=op.high, r_zero=op.r_zero)
            multiplier = float(op.residual_multiplier())
            return _Rounding(ints, dict(r_m=multiplier), op.multipliers(unit), lowering.bytes_at(extra[0]), pool)
        case _:
            raise UnsupportedError(f"{op.name} behind a layer of integers")


def _parameters(op: Op, weight: Array, bias: Array, end: _Rounding, words: Array) -> tuple[tuple[Array, ...], int]:
    """Return the parameters of a step, and whether a product could leave 32 bits."""
    zero: int = op.x_zero  # type: ignore[attr-defined]
    check_sums(op.name, weight, bias, zero)
    rows = weight.reshape(len(weight), -1).astype(np.int64)
    start, sums = corrected_bias(weight, bias, zero), rows.sum(axis=1)
    reach = (np.abs(start) + 255 * np.abs(rows).sum(axis=1)) * end.multipliers.astype(np.float64)
    wide = int(reach.max() + 256 * (1 + end.floats["r_m"]) > LARGEST)
    numbers = (as_words(by_block(start, np.int32)), as_words(by_block(sums, np.int32)))
    return (packed(by_block(end.multipliers, np.float32)), words, *numbers), wide


def _emit(
    lowering: ChwnLowering,
    site: NodeIO,
    kernel: str,
    end: _Rounding,
    ints: dict[str, int],
    parameters: tuple[Array, ...],
    tables: tuple[Array | None, ...],
    why: str,
) -> None:
    reads = (site.inputs[0], end.residual) if end.residual else site.inputs[:1]
    fused = [name for name, there in (("add", end.residual), ("max_pool", end.pool)) if there]
    lowering.emit(
        site, kernel, reads, dtype="u8", ints=end.ints | ints, floats=end.floats, parameters=parameters, tables=tables,
        reason=", ".join([why, *(f"{name} fused" for name in fused)]),
    )  # fmt: skip


def _conv2d(lowering: ChwnLowering, op: IntegerConv2d, site: NodeIO, end: _Rounding, output: Shape) -> None:
    source = lowering.bytes_at(site.inputs[0])
    weight, bias = (lowering.graph.constants[v] for v in site.inputs[1:3])
    conv, (oc, oh, ow), (_, _, kh, kw) = op.on_numbers(), output, weight.shape
    x, y = lowering.strides(source), lowering.strides(site.result)
    site = NodeIO(site.node, (source, *site.inputs[1:]), site.result)
    if (oh, ow) == (1, 1):
        windows = group_windows(weight.shape[1] * op.groups, oc, op.groups)
        if op.groups == 1:
            start = pixel_offsets(conv, 1, 1, x, None)[0]
            taps = table(tap_offsets(conv, windows.span, kh, kw, x) + start)
            _dense(lowering, op, site, end, weight, bias, taps, pack_conv(weight, 1))
            return
    is_depthwise = op.groups == oc == lowering.shapes[source][0] and weight.shape[1] == 1 and op.groups > 1
    r_c, rpos = 0, None
    if end.residual:
        r = lowering.strides(end.residual)
        r_c, rpos = r[0], pixel_table(lowering, Conv2d(), oh, ow, r, in_quads=end.pool)
    xpos = pixel_table(lowering, conv, oh, ow, x, in_quads=end.pool)
    ypos = result_positions(lowering, oh, ow, y, end.pool)
    ints = dict(blocks=block_count(oc), y_c=y[0], positions=len(xpos), pool=int(end.pool), r_c=r_c, channels=oc)
    if is_depthwise:
        _depthwise(lowering, op, site, end, ints, (weight, bias), x, (xpos, ypos, rpos))
        return
    windows = group_windows(weight.shape[1] * op.groups, oc, op.groups)
    span = windows.span
    taps = lowering.once(lambda: tap_offsets(conv, span, kh, kw, x), "taps", op.dilation, span, kh, kw, x)
    parameters, wide = _parameters(op, weight, bias, end, pack_conv(weight, op.groups))
    # without a window each vector is read for four dot products only, so it is to be in the first-level cache
    nearness = (FIRST_LEVEL_BYTES,) if kh * kw == 1 else ()
    block = position_block(span * op.stride[0] * op.stride[1], kernels.lanes(), *nearness)
    ints |= dict(K=len(taps), wide=wide, block=block)
    starts = table(windows.starts * x[0]) if op.groups > 1 else None
    why = f"kernel {kh}x{kw}" if op.groups == 1 else f"{op.groups} groups"
    _emit(lowering, site, "conv2d:direct", end, ints, parameters, (taps, xpos, ypos, rpos, starts), why)


def _depthwise(
    lowering: ChwnLowering,
    op: IntegerConv2d,
    site: NodeIO,
    end: _Rounding,
    ints: dict[str, int],
    arrays: tuple[Array, Array],
    x: Triple,
    tables: tuple[Array, Array, Array | None],
) -> None:
    weight, bias = arrays
    _, _, kh, kw = weight.shape
    order = depthwise_taps(kh, kw)
    places = tap_offsets(op.on_numbers(), 1, kh, kw, x)
    # a product of weight zero reads where the one before it does
    taps = table(places[np.maximum.accumulate(order)])
    parameters, wide = _parameters(op, weight, bias, end, pack_depthwise(weight, order))
    ints |= dict(K=len(taps), wide=wide, x_block=x[0])
    _emit(lowering, site, "conv2d:depthwise", end, ints, parameters, (taps, *tables), "a channel each")


def _linear(lowering: ChwnLowering, op: IntegerLinear, site: NodeIO, end: _Rounding, output: Shape) -> None:
    source = site.inputs[0]
    weight, bias = (lowering.graph.constants[v] for v in site.inputs[1:3])
    c, h, w = lowering.byte_shapes[source]
    if block_count(c) * h * w > MOST_WORDS * block_count(c * h * w):
        source = lowering.bytes_at(source)
        c, h, w = lowering.byte_shapes[source]
        site = NodeIO(site.node, (source, *site.inputs[1:]), site.result)
    # features in the order of the bytes of the image that was flattened
    words = pack_conv(weight.reshape(len(weight), c, h, w), 1)
    x = lowering.strides(source)
    taps = None if x[0] == h * w else tap_offsets(Conv2d(), block_count(c), h, w, x)
    _dense(lowering, op, site, end, weight, bias, taps, words, block_count(c) * h * w)


def _dense(
    lowering: ChwnLowering,
    op: IntegerConv2d | IntegerLinear,
    site: NodeIO,
    end: _Rounding,
    weight: Array,
    bias: Array,
    taps: Array | None,
    words: Array,
    count: int = 0,
) -> None:
    parameters, wide = _parameters(op, weight, bias, end, words)
    outputs = len(weight)
    y_c = lowering.channel_stride(site.result) if end.ints["to_float"] else lowering.strides(site.result)[0]
    r_c = lowering.strides(end.residual)[0] if end.residual else 0
    ints = dict(blocks=block_count(outputs), K=count if taps is None else len(taps), y_c=y_c, r_c=r_c)
    ints |= dict(channels=outputs, wide=wide)
    why = "a matrix" if isinstance(op, IntegerLinear) else "one output pixel"
    _emit(lowering, site, "dense:direct", end, ints, parameters, (taps,), why)
