"""Lowers each node to kernels with images in the lanes, layout chwn<L>: one rule for each op.

A value that a convolution reads beyond its edges lies inside a border of zeros, its halo; so no kernel ever asks where
the edge is. Residual add, activation and 2x2 max-pool are part of the step of the convolution before them.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnfast._dispatch import kernels
from cnnfast.graph import Graph
from cnnfast.ops import (
    Activation,
    Add,
    Array,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv2d,
    Dropout,
    Elu,
    Flatten,
    Fused,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    Identity,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Lrn,
    MaxPool,
    Mul,
    Op,
    Pad,
    PRelu,
    Reshape,
    Softmax,
    Transpose,
)
from cnnfast.plan.choose import ALGORITHMS, algorithm
from cnnfast.plan.lowering import (
    Lowering,
    Rules,
    Site,
    Triple,
    affine_parameters,
    broadcast_strides,
    numbered,
    packed,
    strides_of,
    three_axes,
    window_ints,
)
from cnnfast.plan.pack import aligned, pack_blocks, pack_winograd
from cnnfast.plan.places import Halo, conv_halo, conv_positions, conv_taps, position_block, quads, winograd_tiles
from cnnfast.plan.step import Step

ACTIVATIONS = (
    *("none", "relu", "clip", "leaky_relu", "elu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish"),
    *("silu", "gelu", "gelu_tanh"),
)
"""Activations in the order of ``enum activation`` in csrc/tiles.h."""

NO_HALO: Halo = (0, 0, 0, 0)

rule = Rules()


@dataclass
class LanesLowering(Lowering):
    """Steps in layout chwn<L>; places and strides count vectors."""

    halos: dict[str, Halo] = field(default_factory=dict)
    algorithms: Container[str] = ALGORITHMS

    def size(self, value: str) -> int:
        """Return how many vectors a value takes, its halo included."""
        if value not in self.halos:
            return math.prod(self.shapes[value])
        c, h, w = self.shapes[value]
        top, left, bottom, right = self.halos[value]
        return c * (top + h + bottom) * (left + w + right)

    def strides(self, value: str) -> Triple:
        """Return the distance of the channels, rows and columns of a value."""
        shape = three_axes(self.shapes[value])
        top, left, bottom, right = self.halo(value)
        return strides_of((shape[0], top + shape[1] + bottom, left + shape[2] + right))

    def halo(self, value: str) -> Halo:
        """Return the border of zeros around a value: top, left, bottom, right."""
        return self.halos.get(value, NO_HALO)

    def origin(self, value: str) -> int:
        """Return the distance from the start of a value's memory to its first element."""
        top, left, _, _ = self.halo(value)
        return top * self.strides(value)[1] + left

    def emit(self, site: Site, kernel: str, operands: tuple[str, ...], **options: Any) -> None:
        """Append one step of kernel ``<kernel>_f32_chwn_<algorithm>``."""
        name, _, how = kernel.partition(":")
        reads = tuple(self.in_lanes(v) if v in self.graph.constants else v for v in operands)
        self.steps.append(Step(site.node, f"{name}_f32_chwn_{how or 'direct'}", reads, site.result, **options))

    def in_lanes(self, name: str) -> Array:
        """Return a constant as a value of every image."""
        return aligned(np.repeat(self.float32(name).reshape(-1), kernels.lanes()))

    def bias(self, site: Site, base_inputs: int, channels: int) -> Array:
        """Return the bias of a layer, or zeros."""
        return self.float32(site.inputs[2]) if base_inputs > 2 else packed(np.zeros(channels))

    def rows(self, site: Site) -> dict[str, int]:
        """Return the geometry of a function of one element: as few and as long rows as possible."""
        source, target = site.inputs[0], site.result
        shape, x, y = three_axes(self.shapes[target]), self.strides(source), self.strides(target)
        if x == y == strides_of(shape):
            shape = (1, 1, math.prod(shape))
        return dict(C=shape[0], H=shape[1], W=shape[2], x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])

    def channels(self, site: Site) -> dict[str, int]:
        """Return the geometry of a function of one element that knows its channel."""
        shape = (*self.shapes[site.result], 1, 1)[:3]
        x, y = ((*self.strides(v),) if len(self.shapes[v]) == 3 else (1, 1, 1) for v in (site.inputs[0], site.result))
        return dict(C=shape[0], H=shape[1], W=shape[2], x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])

    def same_place(self, site: Site) -> bool:
        """Tell whether a result could lie where its first operand lies."""
        return self.halo(site.inputs[0]) == self.halo(site.result)


def lower_lanes(graph: Graph, algorithms: Container[str] = ALGORITHMS) -> LanesLowering:
    """Return the steps that compute a graph for L images at once, by the algorithms of convolution that may be used.

    Raises
    ------
    UnsupportedError
        If an op or a rank has no kernel; all such nodes are listed.
    """
    lowering = LanesLowering(graph, shapes=dict(graph.shapes), halos=_halos(graph, algorithms), algorithms=algorithms)
    for name in graph.inputs:
        _clear_halo(lowering, name, name)
    rule.apply_all(lowering)
    for name in graph.outputs:
        if name in graph.constants:
            _copy(lowering, Site(name, (name,), name))
        elif name in lowering.halos:
            # results are stored from values without a border
            lowering.results[name] = compact = f"{name}:compact"
            lowering.shapes[compact] = lowering.shapes[name]
            _copy(lowering, Site(name, (name,), compact))
    return lowering


def _halos(graph: Graph, algorithms: Container[str]) -> dict[str, Halo]:
    """Return the border that each value needs: the largest that a convolution asks for."""
    halos: dict[str, Halo] = {}
    for node in graph.nodes:
        op = node.op.base if isinstance(node.op, Fused) else node.op
        if isinstance(op, Conv2d):
            source, weight = (graph.shapes[v] for v in node.inputs[:2])
            output = op.shape(source, weight)
            need = conv_halo(op, source, weight, output, algorithm(op, weight, output, algorithms)[0])
            known = halos.get(node.inputs[0], NO_HALO)
            halos[node.inputs[0]] = tuple(map(max, known, need))  # type: ignore[assignment]
    return {value: halo for value, halo in halos.items() if any(halo) and value not in graph.constants}


def _clear_halo(lowering: LanesLowering, node: str, value: str) -> None:
    if value in lowering.halos:
        c, h, w = lowering.shapes[value]
        y_c, y_r, _ = lowering.strides(value)
        ints = dict(C=c, H=h, W=w, y_c=y_c, y_r=y_r)
        ints |= dict(zip(("top", "left", "bottom", "right"), lowering.halos[value], strict=True))
        lowering.emit(Site(node, (), value), "halo", (), ints=ints, reason="zeros around the image")


def activation_options(op: Activation | None) -> tuple[int, dict[str, float]]:
    """Return the number and the attributes of an activation, as the kernels take them."""
    if op is None:
        return 0, dict(f0=0.0, f1=0.0)
    name = "gelu_tanh" if isinstance(op, Gelu) and op.approximate == "tanh" else op.name
    values = list(op.attributes().values()) if isinstance(op, Clip | LeakyRelu | Elu | HardSigmoid) else []
    f0, f1 = (*values, 0.0, 0.0)[:2]
    return ACTIVATIONS.index(name), dict(f0=f0, f1=f1)


@rule(Op)
def _materialised(lowering: LanesLowering, op: Op, site: Site) -> None:
    """Emit an op; one that reads a constant as an image gets a copy of it, and a halo around the result is cleared."""
    inputs = list(site.inputs)
    if not isinstance(op, Add | Mul):
        for index, value in enumerate(inputs):
            if op.is_data_input(index) and value in lowering.graph.constants:
                inputs[index] = f"{site.result}<{value}"
                lowering.shapes[inputs[index]] = lowering.shapes[value]
                _copy(lowering, Site(site.node, (value,), inputs[index]))
    emit.apply(lowering, op, Site(site.node, tuple(inputs), site.result))
    _clear_halo(lowering, site.node, site.result)


emit = Rules()
"""The rules of the ops, below: each emits the steps of one op, and nothing else."""


@emit(Fused)
def _fused(lowering: LanesLowering, op: Fused, site: Site) -> None:
    """Emit the base with as much of the tail as its kernel takes, then the rest of the tail."""
    inputs, extras = site.inputs[: op.base_inputs], site.inputs[op.base_inputs :]
    tail = list(op.tail)
    taken: list[Op] = []
    residual: str | None = None
    if isinstance(op.base, Conv2d | Linear):
        shape = op.base.shape(*(lowering.shapes[v] for v in inputs))
        if tail and isinstance(tail[0], Add) and _full_value(lowering, extras[0], shape):
            taken.append(tail.pop(0))
            residual, extras = extras[0], extras[1:]
        if tail and isinstance(tail[0], Activation) and not isinstance(tail[0], PRelu):
            taken.append(tail.pop(0))
        if (
            tail
            and isinstance(op.base, Conv2d)
            and not residual
            and _poolable(op.base, tail[0], lowering, inputs, shape)
        ):
            taken.append(tail.pop(0))
    value = f"{site.result}:0" if tail else site.result
    shapes = [lowering.shapes[v] for v in inputs]
    shape = op.base.shape(*shapes)
    for part in taken:
        shape = part.shape(shape) if not isinstance(part, Add) else shape
    lowering.shapes[value] = shape
    here = Site(site.node, inputs, value)
    if isinstance(op.base, Conv2d):
        _conv2d(lowering, op.base, here, taken, residual)
    elif isinstance(op.base, Linear):
        _linear(lowering, op.base, here, taken, residual)
    else:
        emit.apply(lowering, op.base, here)
    for index, part in enumerate(tail, start=1):
        count = len(part.data) + len(part.parameters) - 1
        reads, extras = (value, *extras[:count]), extras[count:]
        value = site.result if index == len(tail) else f"{site.result}:{index}"
        lowering.shapes[value] = part.shape(*(lowering.shapes[v] for v in reads))
        emit.apply(lowering, part, Site(site.node, reads, value))


def _full_value(lowering: LanesLowering, value: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a value is a residual that a kernel can add: computed, and of the shape of the result."""
    return value not in lowering.graph.constants and lowering.shapes[value] == shape


def _poolable(base: Conv2d, pool: Op, lowering: LanesLowering, inputs: tuple[str, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a pool can be part of the step of a convolution: 2x2 max-pool of whole windows."""
    weight = lowering.shapes[inputs[1]]
    if not isinstance(pool, MaxPool) or algorithm(base, weight, shape, lowering.algorithms)[0] == "dense":
        return False
    whole = MaxPool((2, 2))
    return pool == MaxPool((2, 2), ceil_mode=pool.ceil_mode) and pool.shape(shape) == whole.shape(shape)


@emit(Conv2d)
def _conv2d(
    lowering: LanesLowering, op: Conv2d, site: Site, taken: list[Op] | None = None, residual: str | None = None
) -> None:
    taken = taken or []
    source, weight = (lowering.shapes[v] for v in site.inputs[:2])
    output = op.shape(source, weight)
    how, why = algorithm(op, weight, output, lowering.algorithms)
    act, floats = activation_options(next((t for t in taken if isinstance(t, Activation)), None))
    pool = any(isinstance(t, MaxPool) for t in taken)
    why = ", ".join([why, *(f"{t.name} fused" for t in taken)])
    emitter = {"direct": _direct, "dense": _conv_as_dense}.get(how, _winograd)
    reads = site.inputs[:1] if residual is None else (site.inputs[0], residual)
    bias = lowering.bias(site, len(site.inputs), output[0])
    place = _ConvPlace(op, source, weight, output, reads, bias, act, pool, floats, why)
    emitter(lowering, place, site)


@dataclass(frozen=True)
class _ConvPlace:
    """What every way to convolve needs to know."""

    op: Conv2d
    source: tuple[int, ...]
    weight: tuple[int, ...]
    output: tuple[int, ...]
    reads: tuple[str, ...]
    bias: Array
    act: int
    pool: bool
    floats: dict[str, float]
    why: str


def _direct(lowering: LanesLowering, conv: _ConvPlace, site: Site) -> None:
    op, (oc, oh, ow), (_, c, kh, kw) = conv.op, conv.output, conv.weight
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    order = quads(oh, ow) if conv.pool else None
    xpos = conv_positions(op, oh, ow, x, order)
    ypos = _result_positions(oh, ow, y, conv.pool)
    rpos = conv_positions(Conv2d(), oh, ow, lowering.strides(conv.reads[1]), order) if len(conv.reads) > 1 else None
    r_c = lowering.strides(conv.reads[1])[0] if len(conv.reads) > 1 else 0
    weight = lowering.float32(site.inputs[1]).reshape(oc, c * kh * kw)
    ints = dict(groups=op.groups, K=c * kh * kw, OC=oc // op.groups, x_group=c * x[0], y_c=y[0])
    block = position_block(c * op.stride[0] * op.stride[1] if op.groups == 1 else 1, kernels.lanes())
    ints |= dict(positions=len(xpos), pool=int(conv.pool), act=conv.act, r_c=r_c, block=block)
    lowering.emit(
        site,
        "conv2d:direct",
        conv.reads,
        ints=ints,
        floats=conv.floats,
        parameters=(pack_blocks(weight, op.groups, kernels.tile_channels()[0]), conv.bias),
        tables=(conv_taps(op, c, kh, kw, x), xpos, ypos, rpos),
        reason=conv.why,
    )


def _result_positions(oh: int, ow: int, y: Triple, pool: bool) -> Array:
    if pool:
        return conv_positions(Conv2d(), oh // 2, ow // 2, y, None, whole_tiles=False)
    return conv_positions(Conv2d(), oh, ow, y, None)


def _conv_as_dense(lowering: LanesLowering, conv: _ConvPlace, site: Site) -> None:
    oc, c, kh, kw = conv.weight
    x = lowering.strides(site.inputs[0])
    start = conv_positions(conv.op, 1, 1, x, None)[0]
    taps = conv_taps(conv.op, c, kh, kw, x) + start
    _dense(lowering, site, conv, lowering.float32(site.inputs[1]).reshape(oc, -1), taps.astype(np.int32))


def _dense(lowering: LanesLowering, site: Site, conv: _ConvPlace, weight: Array, taps: Array | None) -> None:
    outputs, features = weight.shape
    channel = lowering.strides(site.result)[0] if len(lowering.shapes[site.result]) == 3 else 1
    r_c = 0
    if len(conv.reads) > 1:
        r_c = lowering.strides(conv.reads[1])[0] if len(lowering.shapes[conv.reads[1]]) == 3 else 1
    lowering.emit(
        site,
        "dense:direct",
        conv.reads,
        ints=dict(K=features, O=outputs, y_c=channel, act=conv.act, r_c=r_c),
        floats=conv.floats,
        parameters=(pack_blocks(weight, 1, kernels.tile_channels()[1]), conv.bias),
        tables=(taps,),
        reason=conv.why,
    )


def _winograd(lowering: LanesLowering, conv: _ConvPlace, site: Site) -> None:
    oc, c, k, _ = conv.weight
    _, oh, ow = conv.output
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    r = lowering.strides(conv.reads[1]) if len(conv.reads) > 1 else (0, 0, 0)
    tiles = winograd_tiles(conv.op, oh, ow, x, y, r, conv.pool)
    ints = dict(C=c, OC=oc, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], tiles=len(tiles.xpos))
    ints |= dict(pool=int(conv.pool), act=conv.act, r_c=r[0], r_r=r[1])
    tile_oc, _, single_oc = kernels.tile_channels()
    most = single_oc if len(tiles.xpos) == 1 else tile_oc
    lowering.emit(
        site,
        f"conv2d:winograd4x{k}",
        conv.reads,
        ints=ints,
        floats=conv.floats,
        parameters=(pack_winograd(lowering.graph.constants[site.inputs[1]], most), conv.bias),
        tables=(tiles.xpos, tiles.ypos, tiles.rows, tiles.cols, tiles.rpos),
        workspace=(k + 3) ** 2 * (c + 1) * min(len(tiles.xpos), 4),
        reason=conv.why,
    )


@emit(Linear)
def _linear(
    lowering: LanesLowering, op: Linear, site: Site, taken: list[Op] | None = None, residual: str | None = None
) -> None:
    weight = lowering.float32(site.inputs[1])
    act, floats = activation_options(next((t for t in taken or [] if isinstance(t, Activation)), None))
    reads = site.inputs[:1] if residual is None else (site.inputs[0], residual)
    bias = lowering.bias(site, len(site.inputs), len(weight))
    why = ", ".join(["a matrix with the images in the lanes", *(f"{t.name} fused" for t in taken or [])])
    conv = _ConvPlace(Conv2d(), (), weight.shape, (), reads, bias, act, False, floats, why)
    _dense(lowering, site, conv, weight, None)


@emit(MaxPool, AvgPool)
def _pool(lowering: LanesLowering, op: MaxPool | AvgPool, site: Site) -> None:
    source, target = lowering.shapes[site.inputs[0]], lowering.shapes[site.result]
    x, y = lowering.strides(site.inputs[0]), lowering.strides(site.result)
    ints = window_ints(op, source, target) | dict(x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])
    divisors = (packed(op.divisors(*source[1:])),) if isinstance(op, AvgPool) else ()
    lowering.emit(site, op.name, site.inputs, ints=ints, parameters=divisors)


@emit(GlobalAvgPool, GlobalMaxPool)
def _global_pool(lowering: LanesLowering, op: Op, site: Site) -> None:
    c, h, w = lowering.shapes[site.inputs[0]]
    x = lowering.strides(site.inputs[0])
    channel = lowering.strides(site.result)[0] if len(lowering.shapes[site.result]) == 3 else 1
    lowering.emit(site, op.name, site.inputs, ints=dict(C=c, H=h, W=w, x_c=x[0], x_r=x[1], y_c=channel))


@emit(BatchNorm)
def _batch_norm(lowering: LanesLowering, op: BatchNorm, site: Site) -> None:
    parameters = affine_parameters(op, site, lowering.graph.constants)
    options = dict(ints=lowering.channels(site), parameters=parameters, in_place=lowering.same_place(site))
    lowering.emit(site, "affine", site.inputs[:1], **options)


@emit(PRelu)
def _prelu(lowering: LanesLowering, op: PRelu, site: Site) -> None:
    ints = lowering.channels(site)
    slope = packed(np.broadcast_to(lowering.graph.constants[site.inputs[1]], (ints["C"],)))
    lowering.emit(site, "prelu", site.inputs[:1], ints=ints, parameters=(slope,), in_place=lowering.same_place(site))


@emit(Activation)
def _activation(lowering: LanesLowering, op: Activation, site: Site) -> None:
    act, floats = activation_options(op)
    ints = lowering.rows(site) | dict(act=act)
    lowering.emit(site, "activate", site.inputs[:1], ints=ints, floats=floats, in_place=lowering.same_place(site))


@emit(Softmax, LogSoftmax)
def _softmax(lowering: LanesLowering, op: Softmax | LogSoftmax, site: Site) -> None:
    shape = lowering.shapes[site.result]
    axis = op.axis - 1 + 3 - len(shape)
    first, second = (i for i in range(3) if i != axis)
    whole = three_axes(shape)
    order = (first, second, axis)
    x, y = (tuple(lowering.strides(v)[i] for i in order) for v in (site.inputs[0], site.result))
    ints = dict(A=whole[first], B=whole[second], K=whole[axis]) | numbered(x=x, y=y)  # type: ignore[arg-type]
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=lowering.same_place(site))


@emit(Add, Mul)
def _arithmetic(lowering: LanesLowering, op: Op, site: Site) -> None:
    whole = three_axes(lowering.shapes[site.result])
    shapes = [three_axes(lowering.shapes[v]) for v in site.inputs]
    own = [
        strides_of(s) if v in lowering.graph.constants else lowering.strides(v)
        for v, s in zip(site.inputs, shapes, strict=True)
    ]
    a, b = (broadcast_strides(t, s, whole) for t, s in zip(own, shapes, strict=True))
    y = lowering.strides(site.result)
    if a == b == y == strides_of(whole):
        whole = (1, 1, math.prod(whole))
    ints = dict(zip("ABC", whole, strict=True)) | numbered(a=a, b=b) | dict(y0=y[0], y1=y[1])
    in_place = site.inputs[0] not in lowering.graph.constants and a == y and lowering.same_place(site)
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=in_place)


def _block(shape: Triple, source: Triple, target: Triple, at: int = 0) -> dict[str, int]:
    """Return the geometry of a copy."""
    return dict(zip("ABC", shape, strict=True)) | numbered(a=source, y=target) | {"at": at}


def _copy(lowering: LanesLowering, site: Site) -> None:
    """Emit a copy of a value or constant to another one of the same shape."""
    shape = three_axes(lowering.shapes[site.result])
    source = site.inputs[0]
    strides = strides_of(shape) if source in lowering.graph.constants else lowering.strides(source)
    lowering.emit(site, "copy", site.inputs, ints=_block(shape, strides, lowering.strides(site.result)))


@emit(Concat)
def _concat(lowering: LanesLowering, op: Concat, site: Site) -> None:
    target = lowering.strides(site.result)
    axis = op.axis - 1 + 3 - len(lowering.shapes[site.result])
    start = 0
    for value in site.inputs:
        shape = three_axes(lowering.shapes[value])
        ints = _block(shape, lowering.strides(value), target, at=start * target[axis])
        lowering.emit(site, "copy", (value,), ints=ints)
        start += shape[axis]


@emit(Pad)
def _pad(lowering: LanesLowering, op: Pad, site: Site) -> None:
    (c, h, w), y = three_axes(lowering.shapes[site.result]), lowering.strides(site.result)
    ints = dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1])
    lowering.emit(site, "fill", (), ints=ints, floats=dict(value=op.value))
    source = three_axes(lowering.shapes[site.inputs[0]])
    at = op.padding[0] * y[1] + op.padding[1]
    lowering.emit(site, "copy", site.inputs, ints=_block(source, lowering.strides(site.inputs[0]), y, at))


@emit(Transpose)
def _transpose(lowering: LanesLowering, op: Transpose, site: Site) -> None:
    source = lowering.strides(site.inputs[0])
    missing = 3 - len(lowering.shapes[site.inputs[0]])
    moved = [source[axis - 1 + missing] for axis in op.order[1:]]
    a, b, c = [0] * missing + moved
    target = three_axes(lowering.shapes[site.result])
    lowering.emit(site, "copy", site.inputs, ints=_block(target, (a, b, c), lowering.strides(site.result)))


@emit(Lrn)
def _lrn(lowering: LanesLowering, op: Lrn, site: Site) -> None:
    ints = lowering.channels(site) | dict(size=op.size)
    floats = dict(alpha=op.alpha, beta=op.beta, bias=op.bias)
    lowering.emit(site, "lrn", site.inputs, ints=ints, floats=floats, workspace=ints["W"])


@emit(Flatten, Reshape, Identity, Dropout)
def _alias(lowering: LanesLowering, op: Op, site: Site) -> None:
    """Give a value a new shape: for nothing where it lies without a border, else by copies."""
    (source,) = site.inputs
    if source in lowering.halos:
        compact = f"{site.result}<{source}"
        lowering.shapes[compact] = lowering.shapes[source]
        _copy(lowering, Site(site.node, (source,), compact))
        source = compact
    if site.result in lowering.halos:
        reshaped = f"{site.result}:reshaped"
        lowering.shapes[reshaped] = lowering.shapes[site.result]
        lowering.aliases[reshaped] = source
        _copy(lowering, Site(site.node, (reshaped,), site.result))
    else:
        lowering.aliases[site.result] = source
