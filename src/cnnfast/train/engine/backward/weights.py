"""The gradients of weights and biases: directly, by Winograd, or as products of matrices; see docs/training.md."""

from __future__ import annotations

import numpy as np

from cnnfast.graph import Node
from cnnfast.ops import Conv2d, Shape
from cnnfast.plan import choose
from cnnfast.plan.lowering import NodeIO
from cnnfast.plan.offsets import Halo, pixel_offsets, tap_offsets, winograd_tiles
from cnnfast.plan.winograd import OUTPUTS
from cnnfast.runtime.dispatch import kernels
from cnnfast.train.engine.lowering import TrainingLowering, grad
from cnnfast.train.engine.packing import spreading

GRADIENT_BLOCK = 1 << 19
"""Bytes of the input that go through all output channels of a weight gradient together: they stay in the cache."""


def emit_bias(low: TrainingLowering, node: Node) -> None:
    """Emit the gradient of a bias, if there is one to train."""
    dy = grad(node.name)
    if len(node.inputs) > 2 and low.is_active(bias := node.inputs[2]):
        low.partial(bias)
        low.emit(NodeIO(node.name, (dy,), grad(bias)), "channel_sums", (dy,), ints=low.window(dy, dy))


def emit_dense_weight(low: TrainingLowering, node: Node) -> None:
    """Emit the weight gradient of a dense layer: a product of matrices, images being summed."""
    x, weight = node.inputs[:2]
    low.partial(weight)
    outputs, features = low.shapes[weight]
    reads, lanes = (low.for_backward(x), grad(node.name)), kernels.lanes()
    ints, workspace = dict(F=features, O=outputs), (features // lanes + 1) * lanes + outputs
    low.emit(NodeIO(node.name, reads, grad(weight)), "dense_weight:outer", reads, ints=ints, workspace=workspace)


def emit_weight(low: TrainingLowering, op: Conv2d, node: Node) -> None:
    """Emit the weight gradient of a convolution."""
    x, weight = node.inputs[:2]
    low.partial(weight)
    emit = _winograd_weight if by_winograd(op, low.shapes[weight], low.shapes[node.name]) else _direct_weight
    emit(low, op, node, low.for_backward(x))


def _direct_weight(low: TrainingLowering, op: Conv2d, node: Node, x: str) -> None:
    oc, c, kh, kw = low.shapes[node.inputs[1]]
    _, oh, ow = low.shapes[node.name]
    dy, a, b = grad(node.name), low.strides(x), low.strides(grad(node.name))
    tables = (
        tap_offsets(op, c, kh, kw, a),
        pixel_offsets(op, oh, ow, a, None, whole_tiles=False),
        pixel_offsets(Conv2d(), oh, ow, b, None, whole_tiles=False),
    )
    ints = dict(groups=op.groups, K=c * kh * kw, OC=oc // op.groups, x_group=c * a[0], y_c=b[0])
    vectors = (c if op.groups == 1 else 1) * op.stride[0] * op.stride[1]
    block = min(max(GRADIENT_BLOCK // (vectors * kernels.lanes() * 4), 32), 256)
    ints |= dict(positions=oh * ow, block=block)
    low.emit(NodeIO(node.name, (x, dy), grad(node.inputs[1])), "conv2d_weight", (x, dy), ints=ints, tables=tables)


SUMS = (64, 4)
"""Rows, and vectors of columns, of the sums that Winograd finishes together: 36 or 64 times as many fit the cache."""

FEW = 32
"""Output channels up to which it takes less time to turn them than to turn the transformed input."""

WIDTH = 16
"""The lanes that the cost of a weight gradient by Winograd assumes, whatever the machine has."""


def by_winograd(op: Conv2d, weight: Shape, output: Shape) -> bool:
    """Return whether a weight gradient is computed by Winograd: where the layer is, if that costs less than directly.

    Examples
    --------
    >>> by_winograd(Conv2d(padding=1), (64, 64, 3, 3), (64, 32, 32))
    True
    >>> by_winograd(Conv2d(), (6, 3, 5, 5), (6, 28, 28))
    False
    """
    oc, c, k, _ = weight
    if not choose.algorithm(op, weight, output)[0].startswith("winograd"):
        return False
    rows, columns = (c, oc) if _products(oc, c) < _products(c, oc) else (oc, c)
    tiles = -(-output[1] // OUTPUTS) * -(-output[2] // OUTPUTS)
    elements = (k + OUTPUTS - 1) ** 2
    whole = -(-columns // WIDTH) * WIDTH
    winograd = tiles * (elements * (rows * whole + 5 * whole) + choose.INPUT_COST[k] * (c + oc))
    return winograd < output[1] * output[2] * k * k * c * oc


def _products(columns: int, rows: int) -> int:
    return -(-columns // WIDTH) * WIDTH * rows


def _swaps(c: int, oc: int) -> bool:
    """Return whether output channels go into the lanes: where fewer of them stay empty, or if they are few."""
    by_outputs, by_inputs = _products(oc, c), _products(c, oc)
    return by_outputs < by_inputs or (by_outputs == by_inputs and oc <= FEW)


def tile_halo(op: Conv2d, weight: Shape, output: Shape) -> Halo:
    """Return what is read beyond the gradient of the output where weights are computed by Winograd: whole tiles."""
    _, oh, ow = output
    return (0, 0, -oh % OUTPUTS, -ow % OUTPUTS) if by_winograd(op, weight, output) else (0, 0, 0, 0)


def _winograd_weight(low: TrainingLowering, op: Conv2d, node: Node, x: str) -> None:
    oc, c, k, _ = low.shapes[node.inputs[1]]
    _, oh, ow = low.shapes[node.name]
    dy, a, b = grad(node.name), low.strides(x), low.strides(grad(node.name))
    tables = winograd_tiles(op, oh, ow, a, b, (0, 0, 0), False)
    tiles, swap, lanes = len(tables.x_offsets), _swaps(c, oc), kernels.lanes()
    used = np.zeros(tiles, np.int32)
    used[: -(-oh // OUTPUTS) * -(-ow // OUTPUTS)] = 1
    elements, at_once = (k + OUTPUTS - 1) ** 2, min(tiles, 4)
    rows, columns = (c if swap else oc), -(-(oc if swap else c) // lanes)
    # Sums of more tiles than are processed at once are added to again, and so are kept as a whole.
    block_rows, block_columns = (rows, columns) if tiles > at_once else (min(rows, SUMS[0]), min(columns, SUMS[1]))
    turned = columns * at_once * lanes
    if swap:
        panels = elements * (turned + 1)
    else:
        panels = elements * (oc + 1) * at_once + turned * (1 if block_rows == rows else elements)
    ints = dict(C=c, OC=oc, x_c=a[0], x_r=a[1], dy_c=b[0], dy_r=b[1], tiles=tiles, swap=int(swap))
    ints |= dict(block_rows=block_rows, block_columns=block_columns)
    low.emit(
        NodeIO(node.name, (x, dy), grad(node.inputs[1])),
        f"conv2d_weight:winograd{OUTPUTS}x{k}",
        (x, dy),
        ints=ints,
        parameters=(spreading(k),),
        tables=(tables.x_offsets, tables.y_offsets, used),
        workspace=elements * ((c + 1) * at_once + block_rows * block_columns + 1) + panels + k * k,
    )
