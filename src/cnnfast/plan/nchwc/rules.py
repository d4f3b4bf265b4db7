"""Channels in the lanes: the rules of the ops that read single channels; all others are those of ``chwn/rules.py``."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, Op, Shape
from cnnfast.ops.quantized import Quantize
from cnnfast.plan import fused_layers  # noqa: F401  (whose rules are shared below)
from cnnfast.plan.chwn import rules  # noqa: F401  (and those)
from cnnfast.plan.chwn.values import copy_ints
from cnnfast.plan.chwn.values import rule as chwn_rule
from cnnfast.plan.elements import FUNCTIONS, emit_reduce, emit_resize
from cnnfast.plan.lowering import NodeIO, Triple, affine_parameters, broadcast_strides, numbered, strides_of
from cnnfast.plan.nchwc.values import NchwcLowering, clear_partial_vectors, copy_elements, rule
from cnnfast.runtime.dispatch import kernels

rule.share(
    chwn_rule,
    *(
        ops.Fused,
        ops.Conv2d,
        ops.Linear,
        ops.MaxPool,
        ops.AvgPool,
        ops.GlobalAvgPool,
        ops.GlobalMaxPool,
        ops.Activation,
        ops.Identity,
        ops.Dropout,
        Quantize,
    ),
)


def _rows(lowering: NchwcLowering, site: NodeIO) -> dict[str, int]:
    """Return the geometry of a function that knows the channel of an element."""
    if len(lowering.shapes[site.result]) > 3:
        raise UnsupportedError(f"channels in the lanes: more than three axes: {lowering.shapes[site.result]}")
    (c, h, w), x, y = lowering.chw(site.result), lowering.strides(site.inputs[0]), lowering.strides(site.result)
    return dict(C=c, H=h, W=w, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])


@rule(ops.BatchNorm)
def _batch_norm(lowering: NchwcLowering, op: ops.BatchNorm, site: NodeIO) -> None:
    parameters = tuple(lowering.vectors(a) for a in affine_parameters(op, site, lowering.graph.constants))
    options = dict(ints=_rows(lowering, site), parameters=parameters, in_place=lowering.same_place(site))
    lowering.emit_nchwc(site, "affine", site.inputs[:1], **options)


@rule(ops.PRelu)
def _prelu(lowering: NchwcLowering, op: ops.PRelu, site: NodeIO) -> None:
    ints = _rows(lowering, site)
    slope = lowering.vectors(np.broadcast_to(lowering.graph.constants[site.inputs[1]], (ints["C"],)))
    options = dict(ints=ints, parameters=(slope,), in_place=lowering.same_place(site))
    lowering.emit_nchwc(site, "prelu", site.inputs[:1], **options)


@rule(ops.Softmax, ops.LogSoftmax)
def _softmax(lowering: NchwcLowering, op: ops.Softmax | ops.LogSoftmax, site: NodeIO) -> None:
    if op.axis == 1 and len(lowering.shapes[site.result]) <= 3:
        options = dict(ints=_rows(lowering, site), in_place=lowering.same_place(site))
        lowering.emit_nchwc(site, op.name, site.inputs, **options)
        return
    if len(lowering.shapes[site.result]) > 3:
        raise UnsupportedError("channels in the lanes: softmax over one of more than three axes")
    axis = op.axis - 1
    order = (*(i for i in range(3) if i != axis), axis)
    whole, x, y = (
        tuple(triple[i] for i in order)
        for triple in (lowering.extent(site.result), *(lowering.strides(v) for v in (site.inputs[0], site.result)))
    )
    ints = dict(zip("ABK", whole, strict=True)) | numbered(x=x, y=y)  # type: ignore[arg-type]
    lowering.emit(site, op.name, site.inputs, ints=ints, in_place=lowering.same_place(site))


@rule(ops.Lrn)
def _lrn(lowering: NchwcLowering, op: ops.Lrn, site: NodeIO) -> None:
    floats = dict(alpha=op.alpha, beta=op.beta, bias=op.bias)
    ints = _rows(lowering, site) | dict(size=op.size)
    lowering.emit_nchwc(site, "lrn", site.inputs, ints=ints, floats=floats)


@rule(ops.Binary)
def _arithmetic(lowering: NchwcLowering, op: ops.Binary, site: NodeIO) -> None:
    whole, y = lowering.extent(site.result), lowering.strides(site.result)
    operands, strides = zip(*(_operand(lowering, site, i) for i in range(2)), strict=True)
    in_place = isinstance(operands[0], str) and strides[0] == y and lowering.same_place(site)
    if all(own == strides_of(whole) for own in (*strides, y)):
        whole = (1, 1, math.prod(whole))
    ints = dict(zip("ABC", whole, strict=True)) | numbered(a=strides[0], b=strides[1]) | dict(y0=y[0], y1=y[1])
    lowering.emit(site, op.name, operands, ints=ints, in_place=in_place)


def _operand(lowering: NchwcLowering, site: NodeIO, index: int) -> tuple[str | Array, Triple]:
    """Return an operand that has all channels of the result, and its strides."""
    value, target = site.inputs[index], lowering.shapes[site.result]
    whole, shape = lowering.extent(site.result), lowering.shapes[value]
    if value in lowering.graph.constants:
        one_pixel = len(target) == 3 and math.prod((1, *shape)[-2:]) == 1
        own = (whole[0], 1, 1) if one_pixel else whole
        make = partial(_repeated_constant, lowering, value, target, lowering.chw(site.result), one_pixel)
        return lowering.once(make, "repeated", value, target), broadcast_strides(strides_of(own), own, whole)
    if shape == target or (len(shape) == len(target) <= 3 and shape[:1] == target[:1]):
        return value, broadcast_strides(lowering.strides(value), lowering.extent(value), whole)
    repeated = f"{site.result}<{index}"
    lowering.shapes[repeated] = target
    here = NodeIO(site.node, (value,), repeated)
    clear_partial_vectors(lowering, here)
    copy_elements(lowering, here, np.broadcast_to(lowering.elements(value), target), lowering.elements(repeated))
    return repeated, lowering.strides(repeated)


def _repeated_constant(lowering: NchwcLowering, value: str, target: Shape, whole: Triple, one_pixel: bool) -> Array:
    """Return a constant with all channels of a result, of one pixel or of all."""
    same = np.broadcast_to(lowering.float32(value), target).reshape(whole)
    return lowering.vectors(same[:, :1, :1] if one_pixel else same)


@rule(ops.Function)
def _function(lowering: NchwcLowering, op: ops.Function, site: NodeIO) -> None:
    (c, h, w), x, y = lowering.extent(site.result), lowering.strides(site.inputs[0]), lowering.strides(site.result)
    ints = dict(C=c, H=h, W=w, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], which=FUNCTIONS.index(op.name))
    floats = dict(f0=getattr(op, "alpha", 0.0))
    lowering.emit(site, "function", site.inputs, ints=ints, floats=floats, in_place=x == y)


@rule(ops.Reduce)
def _reduce(lowering: NchwcLowering, op: ops.Reduce, site: NodeIO) -> None:
    if len(lowering.shapes[site.inputs[0]]) != 3 or 1 in op.axes:
        raise UnsupportedError("channels in the lanes: a reduction over channels")
    emit_reduce(lowering, op, site, lowering.extent(site.inputs[0]))


@rule(ops.Resize)
def _resize(lowering: NchwcLowering, op: ops.Resize, site: NodeIO) -> None:
    emit_resize(lowering, op, site, lowering.extent(site.inputs[0]))


@rule(ops.Concat)
def _concat(lowering: NchwcLowering, op: ops.Concat, site: NodeIO) -> None:
    axis, rank = op.axis - 1, len(lowering.shapes[site.result])
    sizes = [lowering.shapes[value][axis] for value in site.inputs]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    unit = 1 if axis else kernels.lanes()
    if rank > 3 or any(start % unit for start in starts):
        _concat_elements(lowering, site, axis, starts)
        return
    target = lowering.strides(site.result)
    for value, start in zip(site.inputs, starts, strict=True):
        ints = copy_ints(lowering.extent(value), lowering.strides(value), target, start // unit * target[axis])
        lowering.emit(site, "copy", (value,), ints=ints)


def _concat_elements(lowering: NchwcLowering, site: NodeIO, axis: int, starts: list[int]) -> None:
    clear_partial_vectors(lowering, site)
    offsets = np.split(lowering.elements(site.result), starts[1:], axis)
    for value, part in zip(site.inputs, offsets, strict=True):
        copy_elements(lowering, NodeIO(site.node, (value,), site.result), lowering.elements(value), part)


@rule(ops.Pad)
def _pad(lowering: NchwcLowering, op: ops.Pad, site: NodeIO) -> None:
    source, offsets = lowering.elements(site.inputs[0]), lowering.elements(site.result)
    if op.mode != "constant":
        _move(lowering, site, np.pad(source, op.around(), mode=op.mode))  # type: ignore[call-overload]
    elif op.channels == (0, 0):
        chwn_rule.apply(lowering, op, site)
    else:
        (c, h, w), y = lowering.extent(site.result), lowering.strides(site.result)
        ints = dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1])
        lowering.emit(site, "fill", (), ints=ints, floats=dict(value=op.value))
        inside = tuple(slice(a, a + size) for (a, _), size in zip(op.around(), source.shape, strict=True))
        copy_elements(lowering, site, source, offsets[inside])


@rule(ops.Slice)
def _slice(lowering: NchwcLowering, op: ops.Slice, site: NodeIO) -> None:
    indices = [np.array(axis) for axis in op.indices()]
    _move(lowering, site, lowering.elements(site.inputs[0])[np.ix_(*indices)])


@rule(ops.Transpose)
def _transpose(lowering: NchwcLowering, op: ops.Transpose, site: NodeIO) -> None:
    order = [axis - 1 for axis in op.order[1:]]
    _move(lowering, site, lowering.elements(site.inputs[0]).transpose(order))


def _move(lowering: NchwcLowering, site: NodeIO, source: Array) -> None:
    """Emit a copy of the elements at these offsets to the elements of the result."""
    clear_partial_vectors(lowering, site)
    copy_elements(lowering, site, source, lowering.elements(site.result))


@rule(ops.Flatten, ops.Reshape)
def _reshape(lowering: NchwcLowering, op: Op, site: NodeIO) -> None:
    """Move elements to their new channels, unless each keeps its own: then only the name changes."""
    source, target = lowering.chw(site.inputs[0]), lowering.chw(site.result)
    if source[0] == target[0] and (source == target or site.inputs[0] not in lowering.halos):
        chwn_rule.apply(lowering, op, site)
        return
    _move(lowering, site, lowering.elements(site.inputs[0]))
