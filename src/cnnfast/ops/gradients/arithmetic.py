"""Gradients of sum, product and concatenation."""

from __future__ import annotations

import itertools

import numpy as np

from cnnfast.ops.arithmetic import Add, Mul
from cnnfast.ops.base import Array
from cnnfast.ops.concat import Concat
from cnnfast.ops.gradients.base import Gradients, gradient_of, summed_to


def _as_many_axes(x: Array, rank: int) -> Array:
    return x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:])


@gradient_of(Add)
def _add(op: Add, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return tuple(summed_to(dy, _as_many_axes(x, dy.ndim).shape).reshape(x.shape) for x in inputs)


@gradient_of(Mul)
def _mul(op: Mul, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    a, b = (_as_many_axes(x, dy.ndim) for x in inputs)
    return summed_to(dy * b, a.shape).reshape(inputs[0].shape), summed_to(dy * a, b.shape).reshape(inputs[1].shape)


@gradient_of(Concat)
def _concat(op: Concat, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    ends = list(itertools.accumulate(x.shape[op.axis] for x in inputs))[:-1]
    return tuple(summed_to(part, x.shape) for part, x in zip(np.split(dy, ends, axis=op.axis), inputs, strict=True))
