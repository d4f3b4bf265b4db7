"""Blocks of random networks that take values of any rank: norms, reductions, functions, moves, and changes of rank."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cnnfast import ops
from cnnfast.ops import Op
from cnnfast.ops.base import Shape

FUNCTIONS: tuple[Op, ...] = (ops.Abs(), ops.Erf(), ops.Softplus(), ops.Softsign(), ops.Mish())

EPS = 0.1
"""What is added to a variance: groups of one or two elements would else make rounding errors as large as values."""


def divisors(size: int) -> list[int]:
    """Return the numbers that divide a size."""
    return [n for n in range(1, size + 1) if size % n == 0]


def axes_of(net: Any, shape: Shape) -> tuple[int, ...]:
    """Return some axes of one image, counted from N = 0, at least one."""
    count = net.between(1, len(shape))
    return tuple(int(axis) + 1 for axis in net.rng.choice(len(shape), count, replace=False))


def norm(net: Any, x: str) -> str:
    """Normalize over groups of channels or over axes, with scale and shift, scale alone, or neither."""
    shape = net.shapes[x]
    if len(shape) > 3:
        return x
    if net.maybe():
        groups = divisors(shape[0])
        op: Op = ops.GroupNorm(groups[net.rng.integers(len(groups))], EPS)
        weight = shape[:1]
    else:
        axes = tuple(sorted(axes_of(net, shape)))
        op, weight = ops.LayerNorm(axes, EPS), tuple(shape[axis - 1] for axis in axes)
    return net.node(op, x, *(net.weight(*weight) for _ in range(net.between(0, 2))))


def reduce(net: Any, x: str) -> str:
    """Reduce over some axes, which stay as sizes of 1 or go; one that stays may gate the value."""
    if len(net.shapes[x]) > 3:
        return x
    kinds = (ops.ReduceMean, ops.ReduceSum, ops.ReduceMax, ops.ReduceMin)
    kind, keep = kinds[net.rng.integers(len(kinds))], net.maybe(0.6)
    reduced = net.node(kind(axes_of(net, net.shapes[x]), keep), x)
    if not keep or net.maybe(0.3):
        return reduced
    op: Op = (ops.Sub(), ops.Mul(), ops.Maximum(), ops.Minimum())[net.rng.integers(4)]
    # a product with a sum of many elements would grow from block to block
    reduced = net.node(ops.Tanh(), reduced) if isinstance(op, ops.Mul) else reduced
    return net.node(op, x, reduced) if net.maybe() else net.node(op, reduced, x)


def function(net: Any, x: str) -> str:
    """Apply a function of one element."""
    return net.node(FUNCTIONS[net.rng.integers(len(FUNCTIONS))], x)


def over_axis(net: Any, x: str) -> str:
    """Apply softmax over any axis, or join a value with itself along it."""
    axis = net.between(1, len(net.shapes[x]))
    if len(net.shapes[x]) > 3 or (net.maybe() and math.prod(net.shapes[x]) < 2000):
        return net.node(ops.Concat(axis), x, x) if len(net.shapes[x]) <= 3 else x
    return net.node(ops.Softmax(axis) if net.maybe() else ops.LogSoftmax(axis), x)


def divide(net: Any, x: str) -> str:
    """Divide by a constant, or subtract the value from one."""
    shape = net.shapes[x]
    if len(shape) > 3:
        return x
    kinds = [shape, (shape[0], *(1 for _ in shape[1:])), ()]
    kind = kinds[net.rng.integers(len(kinds))]
    if net.maybe():
        return net.node(ops.Div(), x, net.weight(*kind, least=0.5))
    return net.node(ops.Sub(), net.weight(*kind), x)


def cut(net: Any, x: str) -> str:
    """Take a part of each axis, forwards or backwards."""
    start, count, step = [], [], []
    for size in net.shapes[x]:
        by = net.between(1, 2)
        first = net.between(0, size - 1)
        forwards = net.maybe(0.7)
        room = (size - 1 - first if forwards else first) // by
        start.append(first)
        count.append(net.between(max(1, room), room + 1))
        step.append(by if forwards else -by)
    return net.node(ops.Slice(tuple(start), tuple(count), tuple(step)), x)


def turn(net: Any, x: str) -> str:
    """Put the axes into any order."""
    order = net.rng.permutation(len(net.shapes[x]))
    return net.node(ops.Transpose((0, *(int(axis) + 1 for axis in order))), x)


def resize(net: Any, x: str) -> str:
    """Interpolate, or pad with pixels of its own."""
    if len(net.shapes[x]) != 3:
        return x
    if net.maybe(0.4):
        return net.node(ops.Pad(1, mode="edge" if net.maybe() else "symmetric", channels=(net.between(0, 1), 0)), x)
    modes = ("nearest", "linear", "cubic")
    return net.node(ops.Resize((net.between(1, 9), net.between(1, 9)), modes[net.rng.integers(3)]), x)


def other_rank(net: Any, x: str) -> str:
    """Give a value another number of axes, up to four; most of the time with the axes in another order there."""
    shape = net.shapes[x]
    rank, rest, target = net.between(1, 4), math.prod(shape), []
    for _ in range(rank - 1):
        choices = divisors(rest)
        target.append(choices[net.rng.integers(len(choices))])
        rest //= target[-1]
    x = net.node(ops.Reshape((*target, rest)), x)
    if rank < 4:
        return x
    x = function(net, turn(net, x) if net.maybe(0.7) else x)
    shape = net.shapes[x]
    return net.node(ops.Reshape((shape[0] * shape[1], shape[2], shape[3])), x)


BLOCKS: tuple[Callable[[Any, str], str], ...] = (
    *(norm,) * 4,
    *(other_rank,) * 3,
    *(reduce, function, over_axis, divide, cut, turn, resize),
)
"""What a network of any rank is made of, besides the blocks of every network."""
