"""Images in the lanes: the steps of convolutions and dense layers, by algorithm."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from cnnfast.graph.fusion import Epilogue
from cnnfast.ops import Array, Conv2d, Shape
from cnnfast.plan.budget import FLOAT
from cnnfast.plan.chwn.values import ChwnLowering, activation_options
from cnnfast.plan.fused_layers import FusedLayer, residual_stride, residual_strides
from cnnfast.plan.lowering import NodeIO, Triple
from cnnfast.plan.offsets import TILE, Tiles, pixel_offsets, position_block, quads, tap_offsets, winograd_tiles
from cnnfast.plan.pack import aligned, pack_blocks
from cnnfast.plan.step import Packed
from cnnfast.plan.winograd import OUTPUTS
from cnnfast.runtime.dispatch import kernels

FILLED = 0.75
"""Where transformed inputs fill more of the second-level cache, output channels go through them column by column."""

WORTH_TURNING = 256
"""Inputs of a dense layer from which on turned tiles pay: turning the sums back takes as long as ten inputs."""


def _direct(lowering: ChwnLowering, layer: FusedLayer, site: NodeIO) -> None:
    op, (oc, oh, ow), (_, c, kh, kw) = layer.op, layer.output, layer.weight
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    x_offsets = pixel_table(lowering, op, oh, ow, x, in_quads=layer.pool)
    y_offsets = result_positions(lowering, oh, ow, y, layer.pool)
    r_c, r_offsets = 0, None
    if len(layer.reads) > 1:
        r = lowering.strides(layer.reads[1])
        r_c, r_offsets = r[0], pixel_table(lowering, Conv2d(), oh, ow, r, in_quads=layer.pool)
    taps = lowering.once(lambda: tap_offsets(op, c, kh, kw, x), "taps", op.dilation, c, kh, kw, x)
    block = position_block(c * op.stride[0] * op.stride[1] if op.groups == 1 else 1, kernels.lanes())
    emit_direct(
        lowering,
        site,
        layer.reads,
        dict(groups=op.groups, K=c * kh * kw, OC=oc // op.groups, x_group=c * x[0], y_c=y[0], r_c=r_c, block=block),
        (blocks_of(lowering, site.inputs[1], op.groups, kernels.tile_channels()[0]), layer.bias),
        (taps, x_offsets, y_offsets, r_offsets),
        layer.epilogue,
        layer.why,
    )


def emit_direct(
    lowering: ChwnLowering,
    site: NodeIO,
    reads: tuple[str, ...],
    ints: dict[str, int],
    parameters: tuple[Array | Packed, Array],
    tables: tuple[Array, Array, Array, Array | None],
    epilogue: Epilogue,
    why: str,
    resume: bool = False,
    tap_sets: int = 1,
) -> None:
    """Emit a direct convolution at the positions of its tables; with ``resume`` its sums continue from the result.

    A depthwise one may have several sets of taps, each for an equal part of the positions.
    """
    act, floats = activation_options(epilogue.activation)
    own = dict(
        positions=len(tables[1]), pool=int(epilogue.pool is not None), act=act, resume=int(resume), tap_sets=tap_sets
    )
    lowering.emit(
        site, "conv2d:direct", reads, ints=ints | own, floats=floats, parameters=parameters, tables=tables, reason=why
    )


def pixel_table(
    lowering: ChwnLowering,
    op: Conv2d,
    oh: int,
    ow: int,
    x: Triple,
    in_quads: bool = False,
    whole_tiles: bool = True,
    unit: int = 1,
) -> Array:
    """Return where each output pixel's first input is, in multiples of ``unit``; equal convolutions share it."""

    def make() -> Array:
        offsets = pixel_offsets(op, oh, ow, x, quads(oh, ow) if in_quads else None, whole_tiles)
        return offsets if unit == 1 else offsets * unit

    return lowering.once(make, "positions", op.stride, op.padding, oh, ow, x, in_quads, whole_tiles, unit)


def tiles_of(
    lowering: ChwnLowering,
    layer: FusedLayer,
    size: tuple[int, int],
    strides: tuple[Triple, Triple, Triple],
    whole_tiles: bool = True,
) -> Tiles:
    """Return the tables of a Winograd convolution; equal convolutions share them."""
    op, pool = layer.op, layer.pool
    make = partial(winograd_tiles, op, *size, *strides, pool, whole_tiles)
    return lowering.once(make, "tiles", op.padding, size, strides, pool, whole_tiles)


def blocks_of(lowering: ChwnLowering, weight: str, groups: int, most: int) -> Packed | Array:
    """Return weights in blocks of output channels; layers that have the same weights share them."""

    def arrange(array: Array) -> Array:
        return pack_blocks(array.reshape(len(array), -1), groups, most)

    return lowering.arranged(weight, arrange, math.prod(lowering.shapes[weight]), "blocks", groups, most)


def result_positions(lowering: ChwnLowering, oh: int, ow: int, y: Triple, pool: bool) -> Array:
    """Return where the results of a convolution go: a place for each output pixel, or for each 2x2 window."""
    if pool:
        return pixel_table(lowering, Conv2d(), oh // 2, ow // 2, y, whole_tiles=False)
    return pixel_table(lowering, Conv2d(), oh, ow, y)


def _conv_as_dense(lowering: ChwnLowering, layer: FusedLayer, site: NodeIO) -> None:
    oc, c, kh, kw = layer.weight
    x = lowering.strides(site.inputs[0])
    start = pixel_offsets(layer.op, 1, 1, x, None)[0]
    taps = tap_offsets(layer.op, c, kh, kw, x) + start
    _dense(lowering, layer, site, (oc, c * kh * kw), taps.astype(np.int32))


def _linear(lowering: ChwnLowering, layer: FusedLayer, site: NodeIO) -> None:
    _dense(lowering, layer, site, layer.weight, None)


def _dense(lowering: ChwnLowering, layer: FusedLayer, site: NodeIO, weight: Shape, taps: Array | None) -> None:
    outputs, features = weight
    tile = kernels.turned_channels()
    turned = outputs // tile * tile if tile and features >= WORTH_TURNING else 0
    y_c, r_c = lowering.channel_stride(site.result), residual_stride(lowering, layer)
    weights = lowering.arranged(
        site.inputs[1], partial(_dense_blocks, turned=turned), outputs * features, "dense", turned
    )
    lowering.emit(
        site,
        "dense:direct",
        layer.reads,
        ints=dict(K=features, O=outputs, y_c=y_c, act=layer.act, r_c=r_c, turned=turned),
        floats=layer.floats,
        parameters=(weights, layer.bias),
        tables=(taps,),
        reason=layer.why,
    )


def _dense_blocks(weight: Array, turned: int) -> Array:
    """Return weights (O, ...) in blocks of output channels: for turned tiles, and from ``turned`` on for the others."""
    rows = weight.reshape(len(weight), -1)
    parts = [(rows[:turned], kernels.turned_channels()), (rows[turned:], kernels.tile_channels()[1])]
    return aligned(np.concatenate([pack_blocks(part, 1, most) for part, most in parts if len(part)]))


def _winograd(lowering: ChwnLowering, layer: FusedLayer, site: NodeIO) -> None:
    oc, c, k, _ = layer.weight
    _, oh, ow = layer.output
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    r = residual_strides(lowering, layer)
    tiles = tiles_of(lowering, layer, (oh, ow), (x, y, r))
    ints = dict(C=c, OC=oc, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], tiles=len(tiles.x_offsets))
    together = min(len(tiles.x_offsets), TILE)
    transformed = (k + 3) ** 2 * (c + 1) * together
    # several tiles: a single one reads its weights once, and they are what takes the time
    by_columns = together > 1 and transformed * kernels.lanes() * FLOAT > kernels.near_cache() * FILLED
    ints |= dict(pool=int(layer.pool), act=layer.act, r_c=r[0], r_r=r[1], by_columns=int(by_columns))
    tile_oc, _, large_oc, single_oc = kernels.tile_channels()
    most = single_oc if len(tiles.x_offsets) == 1 else tile_oc if k == 3 else large_oc
    lowering.emit(
        site,
        f"conv2d:winograd4x{k}",
        layer.reads,
        ints=ints,
        floats=layer.floats,
        parameters=(lowering.winograd(site.inputs[1], most), layer.bias),
        tables=(tiles.x_offsets, tiles.y_offsets, tiles.rows, tiles.cols, tiles.r_offsets),
        workspace=transformed + (oc * together * OUTPUTS * (k + 3) if by_columns else 0),
        reason=layer.why,
    )


LAYERS = {
    "direct": _direct,
    "dense": _conv_as_dense,
    "linear": _linear,
    "winograd4x3": _winograd,
    "winograd4x5": _winograd,
}
"""How each algorithm of `choose.algorithm`, and a dense layer, become a step."""
