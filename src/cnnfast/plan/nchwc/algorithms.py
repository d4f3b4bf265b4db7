"""Channels in the lanes: the steps of convolutions and dense layers, by algorithm."""

from __future__ import annotations

from functools import partial

import numpy as np

from cnnfast.ops import Array, Conv2d, Shape
from cnnfast.plan.budget import FLOAT
from cnnfast.plan.chwn.algorithms import pixel_table, tiles_of
from cnnfast.plan.fused_layers import FusedLayer, residual_stride, residual_strides
from cnnfast.plan.lowering import NodeIO, Triple, packed
from cnnfast.plan.nchwc.values import NchwcLowering
from cnnfast.plan.offsets import TILE, pixel_offsets, tap_offsets, tap_offsets_nchwc
from cnnfast.plan.pack import pack_vectors, pack_winograd_vectors
from cnnfast.plan.step import Packed
from cnnfast.runtime.dispatch import kernels

RUN_BYTES = 1 << 19
"""What the transformed inputs and outputs of a run of Winograd tiles may take: they stay in the second-level cache."""

SMALL_WEIGHTS = 1 << 18
"""Weights of up to this many bytes stay in the second-level cache, and short runs keep all else in the first."""

SHORT_RUN = 8


def _direct(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> None:
    op, (oc, _, _), (_, c, kh, kw) = layer.op, layer.output, layer.weight
    if op.groups > 1:
        _grouped(lowering, layer, site)
        return
    x, lanes = lowering.strides(site.inputs[0]), kernels.lanes()
    x_offsets, y_offsets, r_offsets = _positions(lowering, layer, site, lanes)
    ints = dict(K=c * kh * kw, OC=oc, y_c=lowering.channel_stride(site.result), positions=len(x_offsets))
    ints |= dict(
        pool=int(layer.pool), act=layer.act, r_c=residual_stride(lowering, layer), vectors=kernels.tile_vectors()[0]
    )
    lowering.emit_nchwc(
        site,
        "conv2d:direct",
        layer.reads,
        ints=ints,
        floats=layer.floats,
        parameters=(_vectors_of(lowering, site.inputs[1], kernels.tile_vectors()[0]), _bias(lowering, layer, site)),
        tables=(tap_offsets_nchwc(op, c, kh, kw, x, lanes), x_offsets, y_offsets, r_offsets),
        reason=layer.why,
    )


def _grouped(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> None:
    op, (oc, _, _), (_, c, kh, kw) = layer.op, layer.output, layer.weight
    depthwise = c == 1 and oc == op.groups
    x, lanes = lowering.strides(site.inputs[0]), kernels.lanes()
    x_offsets, y_offsets, r_offsets = _positions(lowering, layer, site, 1 if depthwise else lanes)
    ints = dict(C=oc, K=c * kh * kw, x_c=x[0] if depthwise else 0, y_c=lowering.channel_stride(site.result))
    ints |= dict(positions=len(x_offsets), pool=int(layer.pool), act=layer.act, r_c=residual_stride(lowering, layer))
    taps = tap_offsets(op, 1, kh, kw, x) if depthwise else _tap_offsets_by_lane(op, layer.weight, x)
    lowering.emit_nchwc(
        site,
        "conv2d:depthwise" if depthwise else "conv2d:grouped",
        layer.reads,
        ints=ints,
        floats=layer.floats,
        parameters=(_vectors_of(lowering, site.inputs[1], 1), _bias(lowering, layer, site)),
        tables=(taps, x_offsets, y_offsets, r_offsets),
        reason=layer.why,
    )


def _tap_offsets_by_lane(op: Conv2d, weight: Shape, x: Triple) -> Array:
    """Return the taps of each output channel, (vectors, K, lanes), flat: it reads the channels of its group."""
    (oc, c, kh, kw), lanes = weight, kernels.lanes()
    taps = tap_offsets_nchwc(op, op.groups * c, kh, kw, x, lanes).reshape(op.groups, -1)
    each = np.repeat(taps, oc // op.groups, axis=0)
    filled = np.concatenate([each, np.zeros((-oc % lanes, each.shape[1]), np.int32)])
    return np.ascontiguousarray(filled.reshape(-1, lanes, each.shape[1]).swapaxes(1, 2).reshape(-1), np.int32)


def _vectors_of(lowering: NchwcLowering, weight: str, most: int) -> Packed:
    """Return weights in blocks of vectors of output channels; layers that have the same weights share them."""
    array, lanes = lowering.graph.constants[weight], kernels.lanes()

    def pack() -> Array:
        return pack_vectors(packed(array).reshape(len(array), -1), most, lanes)

    size = (array.size + -len(array) % lanes * array[0].size) * FLOAT
    return lowering.once(lambda: Packed(pack, size), "vectors", weight, most)


def _bias(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> Array:
    """Return the bias of a layer in vectors; layers that have the same bias, or none, share it."""
    return lowering.once(lambda: lowering.vectors(layer.bias), "bias", *(site.inputs[2:3] or layer.bias.shape))


def _positions(
    lowering: NchwcLowering, layer: FusedLayer, site: NodeIO, unit: int
) -> tuple[Array, Array, Array | None]:
    """Return where each position reads, in multiples of ``unit``, and where its result and residual are, in vectors."""
    (_, oh, ow), plain = layer.output, Conv2d()
    shrink = 2 if layer.pool else 1

    def offsets(op: Conv2d, h: int, w: int, value: str, in_quads: bool = False, unit: int = 1) -> Array:
        return pixel_table(lowering, op, h, w, lowering.strides(value), in_quads, whole_tiles=False, unit=unit)

    x_offsets = offsets(layer.op, oh, ow, site.inputs[0], layer.pool, unit)
    y_offsets = offsets(plain, oh // shrink, ow // shrink, site.result)
    r_offsets = offsets(plain, oh, ow, layer.reads[1]) if len(layer.reads) > 1 else None
    return x_offsets, y_offsets, r_offsets


def _conv_as_dense(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> None:
    oc, c, kh, kw = layer.weight
    x, lanes = lowering.strides(site.inputs[0]), kernels.lanes()
    taps = tap_offsets_nchwc(layer.op, c, kh, kw, x, lanes) + pixel_offsets(layer.op, 1, 1, x, None)[0] * lanes
    _dense(lowering, layer, site, (oc, c * kh * kw), taps.astype(np.int32))


def _linear(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> None:
    _dense(lowering, layer, site, layer.weight, None)


def _dense(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO, weight: Shape, taps: Array | None) -> None:
    outputs, features = weight
    if taps is not None and np.array_equal(taps, np.arange(features)):
        taps = None
    ints = dict(K=features, O=outputs, y_c=lowering.channel_stride(site.result), act=layer.act)
    lowering.emit_nchwc(
        site,
        "dense:direct",
        layer.reads,
        ints=ints | dict(r_c=residual_stride(lowering, layer), vectors=kernels.tile_vectors()[1]),
        floats=layer.floats,
        parameters=(_vectors_of(lowering, site.inputs[1], kernels.tile_vectors()[1]), _bias(lowering, layer, site)),
        tables=(taps,),
        reason=layer.why,
    )


def _winograd(lowering: NchwcLowering, layer: FusedLayer, site: NodeIO) -> None:
    _, c, k, _ = layer.weight
    oc, oh, ow = layer.output
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    r = residual_strides(lowering, layer)
    tiles = tiles_of(lowering, layer, (oh, ow), (x, y, r), whole_tiles=False)
    count, lanes = len(tiles.x_offsets), kernels.lanes()
    several, _, few_tiles = kernels.tile_vectors()
    most = several if count >= TILE else few_tiles
    inputs, outputs = (-(-channels // lanes) for channels in (c, oc))
    at_once = min(count, _tiles_at_once((k + 3) ** 2 * lanes * 4, c, inputs, outputs))
    ints = dict(C=c, OC=oc, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], tiles=count)
    ints |= dict(pool=int(layer.pool), act=layer.act, r_c=r[0], r_r=r[1], vectors=most, at_once=at_once)
    pack = partial(pack_winograd_vectors, lowering.graph.constants[site.inputs[1]], most, lanes)
    size = outputs * lanes * c * (k + 3) ** 2 * FLOAT
    weight = lowering.once(lambda: Packed(pack, size), "winograd", site.inputs[1], most)
    lowering.emit_nchwc(
        site,
        f"conv2d:winograd4x{k}",
        layer.reads,
        ints=ints,
        floats=layer.floats,
        parameters=(weight, _bias(lowering, layer, site)),
        tables=(tiles.x_offsets, tiles.y_offsets, tiles.rows, tiles.cols, tiles.r_offsets),
        workspace=(k + 3) ** 2 * ((inputs + outputs) * at_once + 2),
        reason=layer.why,
    )


def _tiles_at_once(element_bytes: int, channels: int, inputs: int, outputs: int) -> int:
    """Return how many tiles a run has, given what a vector of each element of the transform takes."""
    if element_bytes * channels * outputs <= SMALL_WEIGHTS:
        return SHORT_RUN
    return max(SHORT_RUN, RUN_BYTES // (element_bytes * (inputs + outputs)) // SHORT_RUN * SHORT_RUN)


LAYERS = {
    "direct": _direct,
    "dense": _conv_as_dense,
    "linear": _linear,
    "winograd4x3": _winograd,
    "winograd4x5": _winograd,
}
"""How each algorithm of `choose.algorithm`, and a dense layer, become a step."""
