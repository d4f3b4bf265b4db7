"""The rules of ops that both layouts compute with the same geometry: only the strides of values differ.

Functions of one element, reductions, normalization over axes of an image, slices and interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.ops import Array, Op, Shape
from cnnfast.plan.chwn.values import rule as chwn_rule
from cnnfast.plan.gather import Either, cut, source_strides
from cnnfast.plan.lowering import AnyRule, NodeIO, Triple, numbered, packed, strides_of, three_axes
from cnnfast.plan.nchw import rule as nchw_rule

FUNCTIONS = ("abs", "sqrt", "exp", "log", "erf", "softplus", "softsign", "mish", "thresholded_relu", "sign", "round")
"""Functions in the order of ``enum function`` in csrc/tiles.h."""

REDUCTIONS = (ops.ReduceMean, ops.ReduceSum, ops.ReduceMax, ops.ReduceMin)
"""In the order of ``enum reduction`` in csrc/tiles.h."""


def both(*kinds: type[Op]) -> Callable[[AnyRule], AnyRule]:
    """Register a function as the rule of some ops in both layouts."""

    def enter(function: AnyRule) -> AnyRule:
        return chwn_rule(*kinds)(nchw_rule(*kinds)(function))

    return enter


@both(ops.Function)
def _function(lowering: Either, op: ops.Function, site: NodeIO) -> None:
    shape = lowering.shapes[site.result]
    if len(shape) > 3:
        # values of more axes have no border
        c, h, w = 1, 1, math.prod(shape)
        x = y = strides_of((c, h, w))
    else:
        c, h, w = three_axes(shape)
        x, y = source_strides(lowering, site.inputs[0]), lowering.strides(site.result)
    ints = dict(C=c, H=h, W=w, x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1], which=FUNCTIONS.index(op.name))
    options = dict(floats=dict(f0=getattr(op, "alpha", 0.0)), in_place=_same_place(lowering, site, x, y))
    lowering.emit(site, "function", site.inputs, ints=ints, **options)


def _same_place(lowering: Either, site: NodeIO, x: Triple, y: Triple) -> bool:
    return x == y and site.inputs[0] not in lowering.graph.constants


def _axes(shape: Shape, axes: tuple[int, ...]) -> tuple[list[int], list[int], list[int]]:
    """Return the sizes of what is kept and of what is reduced, as three axes, and the best order of the axes.

    The last axis is the one that the innermost loop runs over: the longest that is reduced.
    """
    whole = three_axes(shape)
    reduced = {axis + 2 - len(shape) for axis in axes}
    kept_sizes = [1 if axis in reduced else size for axis, size in enumerate(whole)]
    reduced_sizes = [size if axis in reduced else 1 for axis, size in enumerate(whole)]
    return kept_sizes, reduced_sizes, sorted(range(3), key=lambda axis: reduced_sizes[axis])


def _ordered(order: list[int], **groups: Any) -> dict[str, int]:
    return numbered(**{name: tuple(sizes[axis] for axis in order) for name, sizes in groups.items()})


@both(ops.Reduce)
def _reduce(lowering: Either, op: ops.Reduce, site: NodeIO) -> None:
    emit_reduce(lowering, op, site, lowering.shapes[site.inputs[0]])


def emit_reduce(lowering: Either, op: ops.Reduce, site: NodeIO, shape: Shape) -> None:
    """Emit a reduction of a value; ``shape`` is its size in elements of the arena."""
    kept, reduced, order = _axes(shape, op.axes)
    if len(lowering.shapes[site.result]) == len(shape):
        y = lowering.strides(site.result)
    else:
        y = strides_of((kept[0], kept[1], kept[2]))
    ints = _ordered(order, K=kept, R=reduced, x=source_strides(lowering, site.inputs[0]), y=y)
    lowering.emit(site, "reduce", site.inputs, ints=ints | dict(how=REDUCTIONS.index(type(op))))


@both(ops.LayerNorm)
def _layer_norm(lowering: Either, op: ops.LayerNorm, site: NodeIO) -> None:
    shape = lowering.shapes[site.result]
    kept, reduced, order = _axes(shape, op.axes)
    own = strides_of((reduced[0], reduced[1], reduced[2]))
    weights = [stride if size > 1 else 0 for stride, size in zip(own, reduced, strict=True)]
    _normalize(lowering, op, site, (kept, reduced, order), weights, int(np.prod(reduced)))


@both(ops.GroupNorm)
def _group_norm(lowering: Either, op: ops.GroupNorm, site: NodeIO) -> None:
    """Emit the normalization of each group: the channels are its first axis, whichever of the three that is."""
    shape = lowering.shapes[site.result]
    whole, channels = three_axes(shape), 3 - len(shape)
    step = shape[0] // op.groups
    kept, reduced, weights = [1, 1, 1], list(whole), [0, 0, 0]
    kept[channels], reduced[channels], weights[channels] = op.groups, step, 1
    order = [channels, *(axis for axis in range(3) if axis != channels)]
    _normalize(lowering, op, site, (kept, reduced, order), weights, shape[0], step)


def _normalize(
    lowering: Either,
    op: ops.LayerNorm | ops.GroupNorm,
    site: NodeIO,
    axes: tuple[list[int], list[int], list[int]],
    weights: list[int],
    count: int,
    step: int = 1,
) -> None:
    kept, reduced, order = axes
    x, y = source_strides(lowering, site.inputs[0]), lowering.strides(site.result)
    ints = _ordered(order, K=kept, R=reduced, x=x, y=y, w=weights) | dict(step=step)
    lowering.emit(
        site,
        "normalize",
        site.inputs[:1],
        ints=ints,
        floats=dict(eps=op.eps),
        parameters=_scale_and_shift(lowering, site, count),
        workspace=3,
        in_place=_same_place(lowering, site, x, y),
    )


def _scale_and_shift(lowering: Either, site: NodeIO, count: int) -> tuple[Array, Array]:
    given = [lowering.float32(name).reshape(-1) for name in site.inputs[1:]]
    scale = given[0] if given else np.ones(count)
    shift = given[1] if len(given) > 1 else np.zeros(count)
    return packed(scale), packed(shift)


@both(ops.MatMul)
def _matmul(lowering: Either, op: ops.MatMul, site: NodeIO) -> None:
    a, b = (lowering.shapes[value] for value in site.inputs)
    y = lowering.shapes[site.result]
    count = math.prod(y[:-2])
    strides = [_of_matrices(lowering, value) for value in (*site.inputs, site.result)]
    repeated = [
        (0, *own[1:]) if math.prod(shape[:-2]) == 1 else own for own, shape in zip(strides, (a, b, y), strict=True)
    ]
    ints = dict(B=count, M=a[-2], K=a[-1], O=b[-1]) | numbered(**dict(zip("aby", repeated, strict=True)))
    lowering.emit(site, "matmul", site.inputs, ints=ints)


def _of_matrices(lowering: Either, value: str) -> Triple:
    """Return the distance of the matrices, rows and columns of a value."""
    shape = lowering.shapes[value]
    if len(shape) > 3:
        # values of more axes have no border
        return strides_of((1, shape[-2], shape[-1]))
    return source_strides(lowering, value)


both(ops.Slice)(cut)


@both(ops.Resize)
def _resize(lowering: Either, op: ops.Resize, site: NodeIO) -> None:
    emit_resize(lowering, op, site, lowering.shapes[site.inputs[0]])


def emit_resize(lowering: Either, op: ops.Resize, site: NodeIO, shape: Shape) -> None:
    """Emit an interpolation of a value; ``shape`` is its size in elements of the arena."""
    c, h, w = shape
    x, y = source_strides(lowering, site.inputs[0]), lowering.strides(site.result)
    (rows, row_weights), (cols, col_weights) = op.taps(h, 0), op.taps(w, 1)
    ints = dict(C=c, OH=len(rows), OW=len(cols), KH=rows.shape[1], KW=cols.shape[1])
    lowering.emit(
        site,
        "resize",
        site.inputs,
        ints=ints | dict(x_c=x[0], y_c=y[0], y_r=y[1]),
        parameters=(packed(row_weights), packed(col_weights)),
        tables=tuple(np.ascontiguousarray(t.reshape(-1), np.int32) for t in (rows * x[1], cols)),
    )
