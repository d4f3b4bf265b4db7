"""The slow engine: the references of all ops and their gradients, one after the other, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.graph import Graph, Node
from cnnfast.graph.interpreter import operand
from cnnfast.ops import Array, BatchNorm, Dropout
from cnnfast.ops.gradients import batch_norm_gradient, batch_norm_training, dropout_keys, dropout_mask, gradient
from cnnfast.train.engine.base import Engine
from cnnfast.train.losses import Loss


class ReferenceEngine(Engine):
    """Computes in NumPy; see `Engine`.

    Parameters
    ----------
    graph, loss, batch, **options
        As for `Engine`.
    dtype : numpy dtype
        What the arithmetic is done in.

    Examples
    --------
    >>> from cnnfast.layers import Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Linear(np.zeros((2, 3)), np.zeros(2))], (3,))
    >>> engine = ReferenceEngine(graph, SoftmaxCrossEntropy(), batch=4)
    >>> loss, scores = engine.step(np.ones((4, 3), np.float32), np.array([0, 1, 1, 1]), step_number=0)
    >>> round(loss, 4), engine.gradients["linear_1.bias"].tolist()
    (0.6931, [0.25, -0.25])
    """

    def __init__(
        self, graph: Graph, loss: Loss, batch: int, *, dtype: type[np.floating] = np.float64, **options: Any
    ) -> None:
        super().__init__(graph, loss, batch, **options)
        self._dtype = dtype
        self._dropouts = [node.name for node in self.graph.nodes if isinstance(node.op, Dropout)]

    def _step(self, x: Array, targets: Array, step_number: int) -> tuple[float, Array]:
        weights = {name: array.astype(self._dtype) for name, array in self.parameters.items()}
        values = {next(iter(self.graph.inputs)): self._as_values(x)}
        statistics: dict[str, tuple[Array, Array]] = {}
        for node in self.graph.nodes:
            inputs = self._operands(node, values, weights)
            values[node.name] = self._forward(node, inputs, len(x), step_number, statistics)
        scores = values[self.graph.outputs[0]]
        targets = targets.astype(self._dtype)
        self._backward(values, weights, self.loss.gradient(scores, targets) / len(x), step_number, statistics)
        self._update_averages(statistics, values)
        return float(self.loss.value(scores, targets).mean()), scores.astype(np.float32)

    def _as_values(self, x: Array) -> Array:
        values = x.astype(self._dtype)
        if x.dtype == np.uint8 and self.pixels is not None:
            factor, shift = (p.astype(self._dtype)[:, None, None] for p in self.pixels)
            values = values * factor + shift
        return values

    def _operands(self, node: Node, values: dict[str, Array], weights: dict[str, Array]) -> tuple[Array, ...]:
        return tuple(operand(node, i, v, values, weights) for i, v in enumerate(node.inputs))

    def _forward(
        self,
        node: Node,
        inputs: tuple[Array, ...],
        images: int,
        step_number: int,
        statistics: dict[str, tuple[Array, Array]],
    ) -> Array:
        if isinstance(node.op, Dropout):
            return inputs[0] * self._mask(node, images, step_number)
        if isinstance(node.op, BatchNorm) and self.trains_statistics(node.name):
            y, mean, var = batch_norm_training(node.op, *inputs[:3])
            statistics[node.name] = mean, var
            return y
        return node.op.reference(*inputs)

    def _mask(self, node: Node, images: int, step_number: int) -> Array:
        assert isinstance(node.op, Dropout)
        keys = dropout_keys(self.seed, step_number, self._dropouts.index(node.name), images)
        return dropout_mask(keys, self.graph.shapes[node.name], node.op.rate).astype(self._dtype)

    def _backward(
        self,
        values: dict[str, Array],
        weights: dict[str, Array],
        dscores: Array,
        step_number: int,
        statistics: dict[str, tuple[Array, Array]],
    ) -> None:
        grads: dict[str, Array] = {self.graph.outputs[0]: dscores}
        for node in reversed(self.graph.nodes):
            if node.name not in self.active or node.name not in grads:
                continue
            inputs, dy = self._operands(node, values, weights), grads.pop(node.name)
            for value, grad in zip(
                node.inputs, self._node(node, inputs, values, dy, step_number, statistics), strict=False
            ):
                if value in self.active:
                    grads[value] = grads[value] + grad if value in grads else grad
        for name, target in self.gradients.items():
            target[...] = grads[name].reshape(target.shape) if name in grads else 0

    def _node(
        self,
        node: Node,
        inputs: tuple[Array, ...],
        values: dict[str, Array],
        dy: Array,
        step_number: int,
        statistics: dict[str, tuple[Array, Array]],
    ) -> tuple[Array, ...]:
        if isinstance(node.op, Dropout):
            return (dy * self._mask(node, len(dy), step_number),)
        if isinstance(node.op, BatchNorm) and node.name in statistics:
            return batch_norm_gradient(node.op, inputs[0], inputs[1], *statistics[node.name], dy)
        return gradient(node.op, inputs, values[node.name], dy)

    def _update_averages(self, statistics: dict[str, tuple[Array, Array]], values: dict[str, Array]) -> None:
        for name, (mean, var) in statistics.items():
            node = self.graph.by_name[name]
            count = values[node.name].size // len(mean)
            unbiased = var * (count / max(count - 1, 1))
            for value, batch in zip(node.inputs[3:5], (mean, unbiased), strict=True):
                running = self.parameters[value]
                running[...] = (1 - self.momentum) * running + self.momentum * batch
