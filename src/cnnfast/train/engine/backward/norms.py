"""Backwards through batch-norm."""

from __future__ import annotations

import numpy as np

from cnnfast.graph import Node
from cnnfast.ops import BatchNorm
from cnnfast.plan.lowering import NodeIO
from cnnfast.train.engine.backward.elements import is_masked
from cnnfast.train.engine.backward.rules import LIVE, parts_of, rule
from cnnfast.train.engine.lowering import TrainingLowering, grad


@rule(BatchNorm)
def _batch_norm(low: TrainingLowering, op: BatchNorm, site: NodeIO) -> None:
    node, x, dy = parts_of(low, site)
    if node.name not in low.buffers:
        _affine_back(low, op, node)
        return
    buffers = low.buffers[node.name]
    sums = f"{dy}:sums"
    low.shapes[sums] = (low.shapes[x][0], 2)
    reader = low.graph.only_readers.get(node.name)
    ints = low.window(x, x, dy) | dict(relu=int(reader is not None and is_masked(low, reader)))
    low.emit(NodeIO(node.name, (x, dy), sums), "norm_sums", (x, dy), ints=ints, parameters=(buffers["front"],))
    low.end_phase(node.name, True, sums)

    def emit(target: str, add: bool) -> None:
        reads = (x, dy, LIVE)
        low.emit(
            NodeIO(node.name, reads, target),
            "norm_back",
            reads,
            ints=low.window(x, x, dy, target),
            parameters=(buffers["back"],),
        )

    if low.is_active(x):
        low.contribute(node, x, emit)


def _affine_back(low: TrainingLowering, op: BatchNorm, node: Node) -> None:
    """Emit the way back through a batch-norm with its running averages: a factor for each channel."""
    dy = grad(node.name)

    def emit(target: str, add: bool) -> None:
        low.forward(Scale(op.eps), NodeIO(node.name, (dy, *node.inputs[1:]), target))

    low.contribute(node, node.inputs[0], emit)


class Scale(BatchNorm):
    """Batch-norm without its shift; it is only used in the lowering, never in a graph."""

    def factors(self, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, var: np.ndarray) -> tuple:  # type: ignore[type-arg]
        factor = scale / np.sqrt(var + self.eps)
        return factor, np.zeros_like(factor)
