"""Backwards through convolutions and dense layers.

The gradient of the input is a layer too: a convolution with turned kernels and exchanged channels. With strides each
residue of the output's rows and columns is a separate convolution with a part of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Node
from cnnfast.ops import Add, Array, Conv2d, Fused, Linear, Shape
from cnnfast.plan import choose
from cnnfast.plan.chwn.algorithms import emit_direct
from cnnfast.plan.fused_layers import PLAIN
from cnnfast.plan.lowering import NodeIO, Triple
from cnnfast.plan.offsets import Halo, conv_halo, filled, position_block, table
from cnnfast.plan.pack import pack_blocks
from cnnfast.runtime.dispatch import kernels
from cnnfast.train.engine.backward.norms import emit_with_sums, sums_come_with
from cnnfast.train.engine.backward.rules import rule
from cnnfast.train.engine.backward.weights import emit_bias, emit_dense_weight, emit_weight
from cnnfast.train.engine.lowering import TrainingLowering, grad


@rule(Linear)
def _linear(low: TrainingLowering, op: Linear, site: NodeIO) -> None:
    node = low.graph.by_name[site.node]
    x, weight = node.inputs[:2]
    emit_bias(low, node)
    if low.is_active(weight):
        emit_dense_weight(low, node)
    if low.is_active(x):
        low.contribute(node, x, lambda target, add: _layer(low, Linear(), node, target, add), adds=True)


@rule(Conv2d)
def _conv2d(low: TrainingLowering, op: Conv2d, site: NodeIO) -> None:
    node = low.graph.by_name[site.node]
    x, weight = node.inputs[:2]
    emit_bias(low, node)
    low.clear_halo(node.name, grad(node.name))
    if low.is_active(weight) and sums_come_with(low, x, node):
        _emit_input(low, op, node)
        emit_with_sums(low, x)
        emit_weight(low, op, node)
        return
    if low.is_active(weight):
        emit_weight(low, op, node)
    if low.is_active(x):
        _emit_input(low, op, node)


def _emit_input(low: TrainingLowering, op: Conv2d, node: Node) -> None:
    x, weight = node.inputs[:2]
    kernel = low.shapes[weight][2:]
    back = input_op(op, (kernel[0], kernel[1]))
    if back is not None:
        low.contribute(node, x, lambda target, add: _layer(low, back, node, target, add), adds=True)
    else:
        low.contribute(node, x, lambda target, add: _by_residues(low, op, node, target, add), adds=True)


def _layer(low: TrainingLowering, op: Conv2d | Linear, node: Node, target: str, add: bool) -> None:
    """Emit the layer that passes a gradient back, adding to what is there by the kernel's own residual."""
    groups = op.groups if isinstance(op, Conv2d) else 1
    reads = (grad(node.name), low.transpose(node.inputs[1], groups))
    if add:
        low.forward(Fused(op, (Add(),), 2), NodeIO(node.name, (*reads, target), target))
    else:
        low.forward(op, NodeIO(node.name, reads, target))


def input_op(op: Conv2d, kernel: tuple[int, int]) -> Conv2d | None:
    """Return the convolution that passes gradients back, or None if none does: with strides or very wide padding."""
    span = [d * (k - 1) for d, k in zip(op.dilation, kernel, strict=True)] * 2
    padding = tuple(s - p for s, p in zip(span, op.padding, strict=True))
    if op.stride != (1, 1) or min(padding) < 0:
        return None
    return Conv2d((1, 1), padding, op.dilation, op.groups)  # type: ignore[arg-type]


def gradient_halo(op: Conv2d, source: Shape, weight: Shape, output: Shape) -> Halo:
    """Return how far passing gradients back reads beyond the edges of the gradient of the output."""
    (_, _, kh, kw), (_, h, w), (_, oh, ow) = weight, source, output
    back = input_op(op, (kh, kw))
    if back is not None:
        shape = (source[0], weight[0] // op.groups, kh, kw)
        return conv_halo(back, output, shape, source, choose.algorithm(back, shape, source)[0])
    rows = [r for part in _residues(op, 0, h, kh) for r in part.reach()]
    cols = [r for part in _residues(op, 1, w, kw) for r in part.reach()]
    sides = (-min(rows, default=0), -min(cols, default=0), max(rows, default=0) - oh + 1, max(cols, default=0) - ow + 1)
    top, left, bottom, right = (max(side, 0) for side in sides)
    return top, left, bottom, right


@frozen
class Residue:
    """Along one axis: which pixels of the input have which taps of the kernel, and where those read the gradient."""

    pixels: Array
    first: Array
    """What the pixel reads with an offset of 0."""
    taps: Array
    offsets: Array

    def reach(self) -> Iterator[int]:
        """Yield the smallest and the largest position that is read."""
        if len(self.taps) and len(self.pixels):
            yield int(self.first.min() + self.offsets.min())
            yield int(self.first.max() + self.offsets.max())


def _residues(op: Conv2d, axis: int, size: int, kernel: int) -> list[Residue]:
    """Return the residues of one axis: pixel i has tap p at ``(i + padding - p * dilation) / stride``, if whole."""
    stride, dilation, padding = op.stride[axis], op.dilation[axis], op.padding[axis]
    pixels, taps = np.arange(size), np.arange(kernel)
    parts = []
    for r in range(stride):
        own = pixels[(pixels + padding) % stride == r]
        used = taps[(taps * dilation) % stride == r]
        if len(own):
            parts.append(Residue(own, (own + padding - r) // stride, used, -(used * dilation - r) // stride))
    return parts


def _by_residues(low: TrainingLowering, op: Conv2d, node: Node, target: str, add: bool) -> None:
    _, c, kh, kw = low.shapes[node.inputs[1]]
    _, h, w = low.shapes[node.inputs[0]]
    numbers = low.numbers(low.transpose(node.inputs[1], op.groups))[..., ::-1, ::-1]
    for rows in _residues(op, 0, h, kh):
        for cols in _residues(op, 1, w, kw):
            part = numbers[:, :, rows.taps][:, :, :, cols.taps]
            if part.size or not add:
                _residue(low, op, node, target, add, (rows, cols), part.reshape(c * op.groups, -1))


def _residue(
    low: TrainingLowering,
    op: Conv2d,
    node: Node,
    target: str,
    add: bool,
    parts: tuple[Residue, Residue],
    numbers: Array,
) -> None:
    """Emit one direct convolution: the pixels of one residue of rows and columns."""
    rows, cols = parts
    dy = grad(node.name)
    channels = low.shapes[node.name][0] // op.groups
    x, y = low.strides(dy), low.strides(target)
    y_offsets = table(_grid(rows.pixels, cols.pixels, y))
    taps = table(np.arange(channels)[:, None, None] * x[0] + _grid(rows.offsets, cols.offsets, x))
    tables = (taps if taps.size else np.zeros(1, np.int32), table(_grid(rows.first, cols.first, x)), y_offsets)
    tables = (tables[0], filled(tables[1]), filled(y_offsets))
    weight = np.zeros(1, np.float32)
    if numbers.size:
        weight = low.gathered(node.inputs[1], pack_blocks(numbers, op.groups, kernels.tile_channels()[0]))
    ints = dict(groups=op.groups, K=taps.size, OC=len(numbers) // op.groups, x_group=channels * x[0], y_c=y[0])
    emit_direct(
        low,
        NodeIO(node.name, (dy,), target),
        (dy, target) if add else (dy,),
        ints | dict(r_c=y[0] if add else 0, block=position_block(channels, kernels.lanes())),
        (weight, np.zeros(len(numbers), np.float32)),
        (*tables, tables[2] if add else None),
        PLAIN,
        "a part of the kernel for each residue of the stride",
    )


def _grid(rows: Array, cols: Array, strides: Triple) -> Array:
    offsets: Array = rows[:, None] * strides[1] + cols[None, :] * strides[2]
    return offsets
