"""Integers with images in the lanes: convolutions and dense layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast.ops import Array, Conv2d, Shape
from cnnfast.ops.quantized import IntegerConv2d, IntegerLinear, corrected_bias
from cnnfast.plan.chwn.algorithms import pixel_table, result_positions
from cnnfast.plan.chwn.values import ChwnLowering
from cnnfast.plan.integer_layers import LARGEST, Rounding, emit_layer, layer_parameters
from cnnfast.plan.lowering import NodeIO, Triple
from cnnfast.plan.matrix_tiles import chunks_of, pack_matrix, pixel_rows, pixels_first, uses_matrix_tiles
from cnnfast.plan.offsets import pixel_offsets, position_block, table, tap_offsets
from cnnfast.plan.pack_words import (
    WORD,
    block_count,
    depthwise_taps,
    group_windows,
    pack_conv,
    pack_depthwise,
)
from cnnfast.runtime.dispatch import kernels

FIRST_LEVEL_BYTES = 3 << 13
"""What a block of positions may read to stay in the first-level cache with its results."""

PIXEL_BYTES = 3 << 16
"""What a block of positions may read where the words of each pixel are brought together first."""

MOST_WORDS = 1.2
"""How many times the words of its features a flattened image may take; beyond that its bytes are moved."""

SHIFT = 1 << 23
"""Below this, a sum that begins with these bits of a float is that float and the sum."""


def _parameters(
    op: IntegerConv2d | IntegerLinear, weight: Array, bias: Array, end: Rounding, words: Array
) -> tuple[tuple[Array, ...], dict[str, int]]:
    """Return the parameters of a step, whether a product could leave 32 bits, and whether sums may begin as floats."""
    parameters, wide = layer_parameters(op, weight, bias, end, words, WORD)
    rows = weight.reshape(len(weight), -1).astype(np.int64)
    start = corrected_bias(weight, bias, op.x_zero)
    most, least = (start + 255 * part.sum(axis=1) for part in (np.maximum(rows, 0), np.minimum(rows, 0)))
    only_scaled = not end.residual and not any(end.ints[name] for name in ("zero", "low", "to_float"))
    shifted = only_scaled and not wide and most.max() < SHIFT and least.min() > -LARGEST
    return parameters, dict(wide=wide, shifted=int(shifted))


def _conv2d(lowering: ChwnLowering, op: IntegerConv2d, site: NodeIO, end: Rounding, output: Shape) -> None:
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
        _depthwise(lowering, op, site, end, ints, (weight, bias), x, (xpos, ypos, rpos), output)
        return
    if op.groups == 1 and op.dilation == (1, 1) and uses_matrix_tiles(lowering.algorithms):
        _matrix(lowering, op, site, end, ints, (weight, bias), x, (xpos, ypos, rpos), output)
        return
    windows = group_windows(weight.shape[1] * op.groups, oc, op.groups)
    span = windows.span
    taps = lowering.once(lambda: tap_offsets(conv, span, kh, kw, x), "taps", op.dilation, span, kh, kw, x)
    parameters, sizes = _parameters(op, weight, bias, end, pack_conv(weight, op.groups))
    # without a window each vector is read for four dot products only, so it is to be in the first-level cache
    nearness = (FIRST_LEVEL_BYTES,) if kh * kw == 1 else ()
    block = position_block(span * op.stride[0] * op.stride[1], kernels.lanes(), *nearness)
    ints |= dict(K=len(taps), block=block) | sizes
    starts = table(windows.starts * x[0]) if op.groups > 1 else None
    why = f"kernel {kh}x{kw}" if op.groups == 1 else f"{op.groups} groups"
    emit_layer(lowering, site, "conv2d:direct", end, ints, parameters, (taps, xpos, ypos, rpos, starts), why)


def _matrix(
    lowering: ChwnLowering,
    op: IntegerConv2d,
    site: NodeIO,
    end: Rounding,
    ints: dict[str, int],
    arrays: tuple[Array, Array],
    x: Triple,
    tables: tuple[Array, Array, Array | None],
    output: Shape,
) -> None:
    weight, bias = arrays
    oc, c, kh, kw = weight.shape
    planes = block_count(c)
    chunks = chunks_of(kw * planes, kh)
    words = pack_matrix(pack_conv(pixels_first(weight), 1), oc, chunks)
    parameters, sizes = _parameters(op, weight, bias, end, words)
    ints |= chunks.geometry(oc) | sizes
    xpos, ypos, rpos = tables
    if (kh, kw) == (1, 1):
        ints |= dict.fromkeys(("planes", "x_c", "x_r", "x_from", "width", "height", "block_height", "block_step"), 0)
        ints |= dict(x_step=x[0], block=len(xpos))
        starts = table(chunks.starts * x[0])
        emit_layer(
            lowering, site, "conv2d:matrix", end, ints, parameters, (None, xpos, ypos, rpos, starts), "kernel 1x1"
        )  # fmt: skip
        return
    _, oh, ow = output
    most = PIXEL_BYTES // (planes * kernels.lanes() * WORD)
    rows = pixel_rows(op.on_numbers(), (kh, kw), (oh, ow), end.pool, most)
    ints |= dict(width=rows.width, height=rows.height, block=rows.block)
    ints |= dict(block_height=rows.block_height, block_step=rows.block_step)
    ints |= dict(planes=planes, x_c=x[0], x_r=x[1], x_from=-op.padding[0] * x[1] - op.padding[1], x_step=1)
    row = rows.width * planes
    pixels = pixel_table(lowering, Conv2d(stride=op.stride), oh, ow, (1, row, planes), in_quads=end.pool)
    in_row = chunks.starts.reshape(kh, -1)
    offsets = in_row - in_row[:, :1] + np.arange(kh)[:, None] * row
    emit_layer(
        lowering, site, "conv2d:matrix", end, ints, parameters, (None, pixels, ypos, rpos, table(offsets)),
        f"kernel {kh}x{kw}", rows.block_height * row,
    )  # fmt: skip


def _depthwise(
    lowering: ChwnLowering,
    op: IntegerConv2d,
    site: NodeIO,
    end: Rounding,
    ints: dict[str, int],
    arrays: tuple[Array, Array],
    x: Triple,
    tables: tuple[Array, Array, Array | None],
    output: Shape,
) -> None:
    weight, bias = arrays
    _, _, kh, kw = weight.shape
    order = depthwise_taps(kh, kw)
    places = tap_offsets(op.on_numbers(), 1, kh, kw, x)
    # a product of weight zero reads where the one before it does
    taps = table(places[np.maximum.accumulate(order)])
    parameters, sizes = _parameters(op, weight, bias, end, pack_depthwise(weight, order))
    grid = op.stride == op.dilation == (1, 1) and not end.pool
    rows, columns = output[1:] if grid else (0, 0)
    ints |= dict(K=len(taps), x_block=x[0], rows=rows, columns=columns) | sizes
    emit_layer(lowering, site, "conv2d:depthwise", end, ints, parameters, (taps, *tables), "a channel each")


def _linear(lowering: ChwnLowering, op: IntegerLinear, site: NodeIO, end: Rounding, output: Shape) -> None:
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
    end: Rounding,
    weight: Array,
    bias: Array,
    taps: Array | None,
    words: Array,
    count: int = 0,
) -> None:
    outputs = len(weight)
    matrix = uses_matrix_tiles(lowering.algorithms)
    chunks = chunks_of(count if taps is None else len(taps))
    packed_words = pack_matrix(words, outputs, chunks) if matrix else words
    parameters, sizes = _parameters(op, weight, bias, end, packed_words)
    y_c = lowering.channel_stride(site.result) if end.ints["to_float"] else lowering.strides(site.result)[0]
    r_c = lowering.strides(end.residual)[0] if end.residual else 0
    ints = dict(blocks=block_count(outputs), K=chunks.words, y_c=y_c, r_c=r_c, channels=outputs) | sizes
    why = "a matrix" if isinstance(op, IntegerLinear) else "one output pixel"
    if not matrix:
        emit_layer(lowering, site, "dense:direct", end, ints, parameters, (taps,), why)
        return
    ints |= chunks.geometry(outputs) | dict(x_step=1)
    tables = (taps, None, None, None, table(chunks.starts))
    emit_layer(lowering, site, "dense:matrix", end, ints, parameters, tables, why, 0 if taps is None else chunks.words)


LAYERS: dict[str, Callable[..., None]] = {IntegerConv2d.name: _conv2d, IntegerLinear.name: _linear}
"""How each layer becomes a step."""
