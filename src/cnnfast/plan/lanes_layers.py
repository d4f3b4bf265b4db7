"""Images in the lanes: convolutions and dense layers, and the residual add, activation and max-pool behind them."""

from __future__ import annotations

import numpy as np

from cnnfast._dispatch import kernels
from cnnfast._frozen import frozen
from cnnfast.ops import Activation, Add, Array, Conv2d, Fused, Linear, MaxPool, Op, PRelu, Shape
from cnnfast.plan import choose
from cnnfast.plan.lanes_base import LanesLowering, activation_options, rule
from cnnfast.plan.lowering import Site, Triple
from cnnfast.plan.pack import pack_blocks, pack_winograd
from cnnfast.plan.places import conv_positions, conv_taps, position_block, quads, winograd_tiles


@frozen
class Ending:
    """What a layer does with its sums before it stores them, in this order."""

    residual: str | None = None
    activation: Activation | None = None
    pool: bool = False

    def reason(self, why: str) -> str:
        """Return why a kernel was chosen, with what is fused into it."""
        fused = [
            "add" if self.residual else "",
            self.activation.name if self.activation else "",
            "max_pool" if self.pool else "",
        ]
        return ", ".join([why, *(f"{name} fused" for name in fused if name)])


PLAIN = Ending()


@frozen
class Sums:
    """A layer as every kernel needs to know it: shapes of one image, what it reads, and its ending."""

    op: Conv2d
    weight: Shape
    output: Shape
    reads: tuple[str, ...]
    bias: Array
    ending: Ending
    why: str

    @property
    def act(self) -> int:
        """The number of the activation."""
        return activation_options(self.ending.activation)[0]

    @property
    def floats(self) -> dict[str, float]:
        """The attributes of the activation."""
        return activation_options(self.ending.activation)[1]


@rule(Fused)
def _fused(lowering: LanesLowering, op: Fused, site: Site) -> None:
    """Emit the base with as much of the tail as its kernel takes, then the rest of the tail."""
    inputs, extras = site.inputs[: op.base_inputs], site.inputs[op.base_inputs :]
    ending, taken, shape = ending_of(lowering, op, inputs, extras)
    tail, extras = op.tail[taken:], extras[1 if ending.residual else 0 :]
    value = f"{site.result}:0" if tail else site.result
    lowering.shapes[value] = shape
    here = Site(site.node, inputs, value)
    if isinstance(op.base, Conv2d):
        _conv2d(lowering, op.base, here, ending)
    elif isinstance(op.base, Linear):
        _linear(lowering, op.base, here, ending)
    else:
        rule.apply(lowering, op.base, here)
    for index, part in enumerate(tail, start=1):
        count = len(part.data) + len(part.parameters) - 1
        reads, extras = (value, *extras[:count]), extras[count:]
        value = site.result if index == len(tail) else f"{site.result}:{index}"
        lowering.shapes[value] = part.shape(*(lowering.shapes[v] for v in reads))
        rule.apply(lowering, part, Site(site.node, reads, value))


def ending_of(
    lowering: LanesLowering, op: Fused, inputs: tuple[str, ...], extras: tuple[str, ...]
) -> tuple[Ending, int, Shape]:
    """Return what of a tail is part of the layer's own step, how many ops that is, and the shape of the result."""
    shape = op.base.shape(*(lowering.shapes[v] for v in inputs))
    if not isinstance(op.base, Conv2d | Linear):
        return PLAIN, 0, shape
    rest = list(op.tail)
    residual: str | None = None
    activation: Activation | None = None
    pool = False
    if rest and isinstance(rest[0], Add) and _is_residual(lowering, extras[0], shape):
        residual = extras[0]
        del rest[0]
    if rest and isinstance(rest[0], Activation) and not isinstance(rest[0], PRelu):
        activation = rest[0]
        del rest[0]
    if rest and not residual and _poolable(lowering, op.base, rest[0], inputs, shape):
        pool, shape = True, rest.pop(0).shape(shape)
    return Ending(residual, activation, pool), len(op.tail) - len(rest), shape


def _is_residual(lowering: LanesLowering, value: str, shape: Shape) -> bool:
    """Tell whether a kernel can add a value: it is computed, and of the shape of the result."""
    return value not in lowering.graph.constants and lowering.shapes[value] == shape


def _poolable(lowering: LanesLowering, base: Op, pool: Op, inputs: tuple[str, ...], shape: Shape) -> bool:
    """Tell whether a pool can be part of the step of a convolution: 2x2 max-pool of whole windows."""
    if not isinstance(base, Conv2d) or not isinstance(pool, MaxPool):
        return False
    if choose.algorithm(base, lowering.shapes[inputs[1]], shape, lowering.algorithms)[0] == "dense":
        return False
    whole = MaxPool((2, 2))
    return pool == MaxPool((2, 2), ceil_mode=pool.ceil_mode) and pool.shape(shape) == whole.shape(shape)


@rule(Conv2d)
def _conv2d(lowering: LanesLowering, op: Conv2d, site: Site, ending: Ending = PLAIN) -> None:
    source, weight = (lowering.shapes[v] for v in site.inputs[:2])
    output = op.shape(source, weight)
    how, why = choose.algorithm(op, weight, output, lowering.algorithms)
    sums = _sums(lowering, op, site, weight, output, ending, why)
    {"direct": _direct, "dense": _conv_as_dense}.get(how, _winograd)(lowering, sums, site)


@rule(Linear)
def _linear(lowering: LanesLowering, op: Linear, site: Site, ending: Ending = PLAIN) -> None:
    weight = lowering.float32(site.inputs[1])
    why = "a matrix with the images in the lanes"
    sums = _sums(lowering, Conv2d(), site, weight.shape, weight.shape[:1], ending, why)
    _dense(lowering, sums, site, weight, None)


def _sums(
    lowering: LanesLowering, op: Conv2d, site: Site, weight: Shape, output: Shape, ending: Ending, why: str
) -> Sums:
    reads = (site.inputs[0], ending.residual) if ending.residual else site.inputs[:1]
    bias = lowering.bias(site, len(site.inputs), output[0])
    return Sums(op, weight, output, reads, bias, ending, ending.reason(why))


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
        (pack_blocks(weight, op.groups, kernels.tile_channels()[0]), sums.bias),
        (conv_taps(op, c, kh, kw, x), xpos, ypos, rpos),
        sums.ending,
        sums.why,
    )


def emit_direct(
    lowering: LanesLowering,
    site: Site,
    reads: tuple[str, ...],
    ints: dict[str, int],
    parameters: tuple[Array, Array],
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


def _dense(lowering: LanesLowering, sums: Sums, site: Site, weight: Array, taps: Array | None) -> None:
    outputs, features = weight.shape
    channel = lowering.strides(site.result)[0] if len(lowering.shapes[site.result]) == 3 else 1
    r_c = 0
    if len(sums.reads) > 1:
        r_c = lowering.strides(sums.reads[1])[0] if len(lowering.shapes[sums.reads[1]]) == 3 else 1
    lowering.emit(
        site,
        "dense:direct",
        sums.reads,
        ints=dict(K=features, O=outputs, y_c=channel, act=sums.act, r_c=r_c),
        floats=sums.floats,
        parameters=(pack_blocks(weight, 1, kernels.tile_channels()[1]), sums.bias),
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
        parameters=(pack_winograd(lowering.graph.constants[site.inputs[1]], most), sums.bias),
        tables=(tiles.xpos, tiles.ypos, tiles.rows, tiles.cols, tiles.rpos),
        workspace=(k + 3) ** 2 * (c + 1) * min(len(tiles.xpos), 4),
        reason=sums.why,
    )
