"""Nodes that multiply each channel by a number and add another: batch-norm, and constants that amount to one."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import float64
from cnnfast.ops import Add, BatchNorm, Div, Mul, Sub
from cnnfast.ops.base import Array


@frozen
class Affine:
    """``y = x * factor + offset`` with one factor and one offset for each channel, in float64."""

    factor: Array
    offset: Array

    def then(self, after: Affine) -> Affine:
        """Return both as one: first this, then ``after``."""
        return Affine(self.factor * after.factor, self.offset * after.factor + after.offset)

    @property
    def changes_nothing(self) -> bool:
        """Whether y = x."""
        return bool((self.factor == 1).all() and not self.offset.any())

    @property
    def keeps_order(self) -> bool:
        """Whether a larger x always gives a larger y, so that the largest of a window stays the largest."""
        return bool((self.factor > 0).all())

    @classmethod
    def identity(cls, channels: int) -> Affine:
        """Return ``y = x``."""
        return cls(np.ones(channels), np.zeros(channels))


def affine_of(graph: Graph, node: Node, value: str) -> Affine | None:
    """Return what ``node`` does to each channel of ``value``, or None if it does anything else."""
    if isinstance(node.op, BatchNorm):
        with np.errstate(all="ignore"):
            affine: Affine | None = Affine(*node.op.factors(*(float64(graph.constants[v]) for v in node.inputs[1:])))
    elif isinstance(node.op, Add | Sub | Mul | Div):
        numbers = _per_channel(graph, node, value)
        if numbers is None:
            return None
        affine = _with_constant(node, value, numbers)
    else:
        return None
    if affine is None:
        return None
    return affine if np.isfinite(affine.factor).all() and np.isfinite(affine.offset).all() else None


def _with_constant(node: Node, value: str, numbers: Array) -> Affine | None:
    """Return what arithmetic with one constant for each channel does, or None for a constant divided by the value."""
    one = Affine.identity(len(numbers))
    first = node.inputs[0] == value
    match node.op:
        case Add():
            return Affine(one.factor, numbers)
        case Mul():
            return Affine(numbers, one.offset)
        case Sub():
            return Affine(one.factor, -numbers) if first else Affine(-one.factor, numbers)
        case Div() if first:
            with np.errstate(divide="ignore"):
                return Affine(1 / numbers, one.offset)
    return None


def _per_channel(graph: Graph, node: Node, value: str) -> Array | None:
    """Return the constant that a node adds to or multiplies with ``value``, if it is one number for each channel."""
    other = node.inputs[1] if node.inputs[0] == value else node.inputs[0]
    shape = graph.shapes[value]
    if other not in graph.constants or graph.shapes[node.name] != shape:
        return None
    array = graph.constants[other]
    if array.ndim == len(shape):
        sizes_within_a_channel = array.shape[1:]
    else:
        sizes_within_a_channel = array.shape
    if any(size != 1 for size in sizes_within_a_channel):
        return None
    return np.broadcast_to(float64(array).reshape(-1), shape[:1])
