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
    if node.name not in low.summed:
        sums = _sums_of(low, node)
        reader = low.graph.only_readers.get(node.name)
        ints = low.window(x, x, dy) | dict(relu=int(reader is not None and is_masked(low, reader)))
        low.emit(NodeIO(node.name, (x, dy), sums), "norm_sums", (x, dy), ints=ints, parameters=(buffers["front"],))
    low.end_phase(node.name, True, low.summed.get(node.name) or sums)

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


def _sums_of(low: TrainingLowering, node: Node) -> str:
    sums = f"{grad(node.name)}:sums"
    low.shapes[sums] = (low.shapes[node.name][0], 2)
    return sums


def sums_come_with(low: TrainingLowering, value: str, reader: Node) -> bool:
    """Return whether the sums that a batch-norm needs can be made when its result is computed again.

    They can if that result, behind a ReLU, has a single reader: then its gradient is complete where the gradient of the
    reader's weights needs the result.
    """
    if value not in low.recomputed or low.contributions.get(value) != 1 or not low.is_active(value):
        return False
    activation = low.graph.by_name[value]
    return value in reader.inputs[:1] and len(low.graph.consumers[value]) == 1 and is_masked(low, activation)


def emit_with_sums(low: TrainingLowering, value: str) -> None:
    """Emit what computes a result again, and the sums that its batch-norm needs: its input is read once for both."""
    node = low.recomputed[value]
    (again, _), sums = low.again(value), _sums_of(low, node)
    x, dy = node.inputs[0], grad(node.name)
    low.summed[node.name] = low.second_results[len(low.steps)] = sums
    low.emit(
        NodeIO(node.name, (x, dy), again),
        "norm_sums_activate",
        (x, dy),
        ints=low.window(x, x, dy, again),
        parameters=(low.buffers[node.name]["front"],),
    )
    low.clear_halo(node.name, again)


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
