"""Images in the lanes: the steps of convolutions and dense layers, by algorithm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnfast._dispatch import kernels
from cnnfast.ops import Array, Conv2d
from cnnfast.plan.lanes_base import LanesLowering, activation_options
from cnnfast.plan.layers import Ending, Sums
from cnnfast.plan.lowering import Site, Triple
from cnnfast.plan.pack import pack_blocks, pack_winograd
from cnnfast.plan.places import conv_positions, conv_taps, position_block, quads, winograd_tiles


def _direct(lowering: LanesLowering, sums: Sums, site: Site) -> None:
    op, (oc, oh, ow), (_, c, kh, kw) = sums.op, sums.output, sums.weight
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    order = quads(oh, ow) if sums.ending.pool else None
    xpos = conv_positions(op, oh, ow, x, order)
    ypos = _result_positions(oh, ow, y, sums.ending.pool)
    rpos = conv_positions(Conv2d(), oh, ow, lowering.strides(sums.reads[1]), order) if len(sums.reads) > 1 else None
    r_c = lowering.strides(sums.reads[1])[0] if len(sums.reads) > 1 else 0
    weight = lowering.float32(site.inputs[1]).reshape(oc, c * kh * kw)
    block = position_block(c * op.stride[0] * op.stride[1] if op.groups == 1 else 1, kernels.lanes())
    emit_direct(
        lowering,
        site,
        sums.reads,
        dict(groups=op.groups, K=c * kh * kw, OC=oc // op.groups, x_group=c * x[0], y_c=y[0], r_c=r_c, block=block),
        (partial(pack_blocks, weight, op.groups, kernels.tile_channels()[0]), sums.bias),
        (conv_taps(op, c, kh, kw, x), xpos, ypos, rpos),
        sums.ending,
        sums.why,
    )


def emit_direct(
    lowering: LanesLowering,
    site: Site,
    reads: tuple[str, ...],
    ints: dict[str, int],
    parameters: tuple[Array | Callable[[], Array], Array],
    tables: tuple[Array, Array, Array, Array | None],
    ending: Ending,
    why: str,
    resume: bool = False,
) -> None:
    """Emit a direct convolution at the positions of its tables; with ``resume`` the sums go on from the result."""
    act, floats = activation_options(ending.activation)
    ints = ints | dict(positions=len(tables[1]), pool=int(ending.pool), act=act, resume=int(resume))
    lowering.emit(
        site, "conv2d:direct", reads, ints=ints, floats=floats, parameters=parameters, tables=tables, reason=why
    )


def _result_positions(oh: int, ow: int, y: Triple, pool: bool) -> Array:
    if pool:
        return conv_positions(Conv2d(), oh // 2, ow // 2, y, None, whole_tiles=False)
    return conv_positions(Conv2d(), oh, ow, y, None)


def _conv_as_dense(lowering: LanesLowering, sums: Sums, site: Site) -> None:
    oc, c, kh, kw = sums.weight
    x = lowering.strides(site.inputs[0])
    start = conv_positions(sums.op, 1, 1, x, None)[0]
    taps = conv_taps(sums.op, c, kh, kw, x) + start
    _dense(lowering, sums, site, lowering.float32(site.inputs[1]).reshape(oc, -1), taps.astype(np.int32))


def _linear(lowering: LanesLowering, sums: Sums, site: Site) -> None:
    _dense(lowering, sums, site, lowering.float32(site.inputs[1]), None)


def _dense(lowering: LanesLowering, sums: Sums, site: Site, weight: Array, taps: Array | None) -> None:
    outputs, features = weight.shape
    channel = lowering.channel_stride(site.result)
    r_c = lowering.channel_stride(sums.reads[1]) if len(sums.reads) > 1 else 0
    lowering.emit(
        site,
        "dense:direct",
        sums.reads,
        ints=dict(K=features, O=outputs, y_c=channel, act=sums.act, r_c=r_c),
        floats=sums.floats,
        parameters=(partial(pack_blocks, weight, 1, kernels.tile_channels()[1]), sums.bias),
        tables=(taps,),
        reason=sums.why,
    )


def _winograd(lowering: LanesLowering, sums: Sums, site: Site) -> None:
    oc, c, k, _ = sums.weight
    _, oh, ow = sums.output
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    r = lowering.strides(sums.reads[1]) if len(sums.reads) > 1 else (0, 0, 0)
    tiles = winograd_tiles(sums.op, oh, ow, x, y, r, sums.ending.pool)
    ints = dict(C=c, OC=oc, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], tiles=len(tiles.xpos))
    ints |= dict(pool=int(sums.ending.pool), act=sums.act, r_c=r[0], r_r=r[1])
    tile_oc, _, single_oc = kernels.tile_channels()
    most = single_oc if len(tiles.xpos) == 1 else tile_oc
    lowering.emit(
        site,
        f"conv2d:winograd4x{k}",
        sums.reads,
        ints=ints,
        floats=sums.floats,
        parameters=(partial(pack_winograd, lowering.graph.constants[site.inputs[1]], most), sums.bias),
        tables=(tiles.xpos, tiles.ypos, tiles.rows, tiles.cols, tiles.rpos),
        workspace=(k + 3) ** 2 * (c + 1) * min(len(tiles.xpos), 4),
        reason=sums.why,
    )


LAYERS = {
    "direct": _direct,
    "dense": _conv_as_dense,
    "linear": _linear,
    "winograd4x3": _winograd,
    "winograd4x5": _winograd,
}
"""How each algorithm of `choose.algorithm`, and a dense layer, become a step."""
