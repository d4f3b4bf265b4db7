"""Integers with channels in the lanes: convolutions and dense layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array, Conv2d, Shape
from cnnfast.ops.quantized import IntegerConv2d, IntegerLinear
from cnnfast.plan.chwn.algorithms import pixel_table
from cnnfast.plan.integer_layers import Rounding, emit_layer, layer_parameters
from cnnfast.plan.lowering import NodeIO, Triple
from cnnfast.plan.nchwc.values import NchwcLowering
from cnnfast.plan.offsets import pixel_offsets, table, tap_offsets, tap_offsets_nchwc, two_rows
from cnnfast.plan.pack import blocks
from cnnfast.plan.pack_words import WORD, block_count, depthwise_taps, group_windows, pack_conv, pack_depthwise
from cnnfast.runtime.dispatch import kernels


@frozen
class _Taps:
    """What a sum reads: places of words relative to a position, and those of the next vector of output channels."""

    offsets: Array
    count: int
    next: int = 0


def _conv2d(lowering: NchwcLowering, op: IntegerConv2d, site: NodeIO, end: Rounding, output: Shape) -> None:
    source = lowering.bytes_at(site.inputs[0])
    site = NodeIO(site.node, (source, *site.inputs[1:]), site.result)
    weight = lowering.graph.constants[site.inputs[1]]
    (oc, _, _), (_, _, kh, kw) = output, weight.shape
    if op.groups == oc == lowering.shapes[source][0] and weight.shape[1] == 1 and op.groups > 1:
        _depthwise(lowering, op, site, end, output)
        return
    x_offsets = _pixels(lowering, op.on_numbers(), output, source, end.pool, kernels.lanes() // WORD)
    taps = _taps(lowering, op, weight.shape, lowering.strides(source))
    why = f"kernel {kh}x{kw}" if op.groups == 1 else f"{op.groups} groups"
    _emit(lowering, op, site, end, output, "conv2d:direct", weight, taps, x_offsets, why)


def _taps(lowering: NchwcLowering, op: IntegerConv2d, weight: Shape, x: Triple) -> _Taps:
    """Return what each sum of a convolution reads; of groups each vector of output channels has its own channels."""
    oc, c, kh, kw = weight
    words = kernels.lanes() // WORD
    windows = group_windows(c * op.groups, oc, op.groups, kernels.lanes())
    count = windows.span * kh * kw
    whole = tap_offsets_nchwc(op.on_numbers(), block_count(c * op.groups), kh, kw, x, words)
    if op.groups == 1:
        return _Taps(whole, count)
    rows = whole.reshape(-1, kh * kw)
    return _Taps(table(np.stack([rows[start : start + windows.span] for start in windows.starts])), count, count)


def _pixels(lowering: NchwcLowering, op: Conv2d, output: Shape, value: str, in_quads: bool, unit: int = 1) -> Array:
    """Return the place of each output pixel in a value, in multiples of ``unit``."""
    _, h, w = output
    return pixel_table(lowering, op, h, w, lowering.strides(value), in_quads, whole_tiles=False, unit=unit)


def _linear(lowering: NchwcLowering, op: IntegerLinear, site: NodeIO, end: Rounding, output: Shape) -> None:
    source = site.inputs[0]
    c, h, w = lowering.byte_shapes[source]
    # features in the order of the bytes of the image that was flattened
    weight = lowering.graph.constants[site.inputs[1]].reshape(-1, c, h, w)
    offsets = tap_offsets_nchwc(Conv2d(), block_count(c), h, w, lowering.strides(source), kernels.lanes() // WORD)
    output = (len(weight), 1, 1)
    taps = _Taps(offsets, len(offsets))
    _emit(lowering, op, site, end, output, "dense:direct", weight, taps, table(np.zeros(1)), "a matrix")


def _emit(
    lowering: NchwcLowering,
    op: IntegerConv2d | IntegerLinear,
    site: NodeIO,
    end: Rounding,
    output: Shape,
    kernel: str,
    weight: Array,
    taps: _Taps,
    x_offsets: Array,
    why: str,
) -> None:
    groups, lanes = (op.groups if isinstance(op, IntegerConv2d) else 1), kernels.lanes()
    several, one, _ = kernels.tile_vectors()
    vectors = 1 if taps.next else several if len(x_offsets) > 1 else one
    words = pack_conv(weight, groups, lanes).reshape(-1, taps.count, lanes)
    pieces = [words[block].swapaxes(0, 1).reshape(-1) for block in blocks(len(words), vectors)]
    bias = lowering.graph.constants[site.inputs[2]]
    parameters, wide = layer_parameters(op, weight, bias, end, np.concatenate(pieces), lanes)
    offsets = None if np.array_equal(taps.offsets, np.arange(taps.count)) else taps.offsets
    ints = _ints(lowering, site, end, output) | dict(K=taps.count, wide=wide, vectors=vectors, taps_c=taps.next)
    ints |= dict(positions=len(x_offsets))
    tables = (offsets, x_offsets, *_result_tables(lowering, site, end, output))
    emit_layer(lowering, site, kernel, end, ints, parameters, tables, why)


def _ints(lowering: NchwcLowering, site: NodeIO, end: Rounding, output: Shape) -> dict[str, int]:
    r_c = lowering.strides(end.residual)[0] if end.residual else 0
    return dict(OC=output[0], y_c=lowering.strides(site.result)[0], r_c=r_c, pool=int(end.pool))


def _result_tables(lowering: NchwcLowering, site: NodeIO, end: Rounding, output: Shape) -> tuple[Array, Array | None]:
    """Return where the results and what is added to them are."""
    oc, oh, ow = output
    pooled = (oc, oh // 2, ow // 2) if end.pool else output
    residual = _pixels(lowering, Conv2d(), output, end.residual, end.pool) if end.residual else None
    return _pixels(lowering, Conv2d(), pooled, site.result, False), residual


def _depthwise(lowering: NchwcLowering, op: IntegerConv2d, site: NodeIO, end: Rounding, output: Shape) -> None:
    weight, bias = (lowering.graph.constants[v] for v in site.inputs[1:3])
    _, _, kh, kw = weight.shape
    x, lanes, order = lowering.strides(site.inputs[0]), kernels.lanes(), _by_columns(kh, kw)
    # a product of weight zero reads where the one before it does
    last = np.maximum.accumulate(np.where(order < 0, -1, np.arange(len(order))))
    taps = table(tap_offsets(op.on_numbers(), 1, kh, kw, x)[order[last]])
    parameters, wide = layer_parameters(op, weight, bias, end, pack_depthwise(weight, order, lanes), lanes)
    x_offsets, *results = _depthwise_pixels(lowering, op, site, end, output)
    ints = _ints(lowering, site, end, output) | dict(K=len(taps), wide=wide, x_c=x[0], positions=len(x_offsets))
    tables = (taps, x_offsets, *results)
    emit_layer(lowering, site, "conv2d:depthwise", end, ints, parameters, tables, "a channel each")


def _by_columns(kh: int, kw: int) -> Array:
    """Return the products of a depthwise convolution as `depthwise_taps` does, column by column."""
    order = depthwise_taps(kw, kh)
    return np.where(order < 0, order, order % kh * kw + order // kh)


def _depthwise_pixels(
    lowering: NchwcLowering, op: IntegerConv2d, site: NodeIO, end: Rounding, output: Shape
) -> tuple[Array, Array, Array | None]:
    """Return where each position reads, and where its result and what is added are: two rows at a time."""
    conv, (_, h, w) = op.on_numbers(), output
    if end.pool:
        return _pixels(lowering, conv, output, site.inputs[0], True), *_result_tables(lowering, site, end, output)

    def table_of(op: Conv2d, value: str) -> Array:
        x = lowering.strides(value)
        make = lambda: pixel_offsets(op, h, w, x, two_rows(h, w), whole_tiles=False)  # noqa: E731
        table: Array = lowering.once(make, "two rows", op.stride, op.padding, h, w, x)
        return table

    residual = table_of(Conv2d(), end.residual) if end.residual else None
    return table_of(conv, site.inputs[0]), table_of(Conv2d(), site.result), residual


LAYERS: dict[str, Callable[..., None]] = {IntegerConv2d.name: _conv2d, IntegerLinear.name: _linear}
"""How each layer becomes a step."""
