"""The fast engine: images in the lanes, layer by layer over the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.ops.gradients import dropout_keys
from cnnfast.runtime.threads import of_call
from cnnfast.train.engine.base import Engine
from cnnfast.train.engine.plan import make_training_plan
from cnnfast.train.losses import Loss


class ChwnEngine(Engine):
    """Computes with images in the lanes; see `Engine`.

    Parameters
    ----------
    graph, loss, batch, **options
        As for `Engine`.
    threads : int, optional
        As everywhere in cnnfast.

    Examples
    --------
    >>> from cnnfast.layers import Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Linear(np.zeros((2, 3)), np.zeros(2))], (3,))
    >>> engine = ChwnEngine(graph, SoftmaxCrossEntropy(), batch=4)
    >>> loss, scores = engine.step(np.ones((4, 3), np.float32), np.array([0, 1, 1, 1]), step_number=0)
    >>> round(loss, 4), engine.gradients["linear_1.bias"].tolist()
    (0.6931, [0.25, -0.25])
    """

    def __init__(self, graph: Graph, loss: Loss, batch: int, *, threads: int | None = None, **options: Any) -> None:
        super().__init__(graph, loss, batch, **options)
        self._threads = of_call(threads)
        self.plan = make_training_plan(self, self._threads)

    def _step(self, x: Array, targets: Array, step_number: int) -> tuple[float, Array]:
        threads = of_call(self._threads)
        for packer in self.plan.packers:
            packer.fill(self.parameters, threads)
        count = len(x)
        scores, losses = np.empty((count, self.classes), np.float32), np.empty((count, 1), np.float32)
        keys = [dropout_keys(self.seed, step_number, i, count) for i in range(len(self.plan.dropouts))]
        inputs = [_as_images(a) for a in (x, targets, *(key.view(np.float32) for key in keys))]
        self.plan.training.step(inputs, [scores, losses], self.plan.flat, threads, self.pixels)
        return float(losses.mean(dtype=np.float64)), scores

    def explain(self) -> str:
        """Return a table: the kernel of each step, by phase, and the memory that training takes."""
        return self.plan.explain()


def _as_images(array: Array) -> Array:
    return array.reshape(*array.shape, *(1,) * (4 - array.ndim))


def make_engine(graph: Graph, loss: Loss, batch: int, *, threads: int | None = None, **options: Any) -> Engine:
    """Return the engine that trains a graph; arguments are those of `Engine`, ``threads`` as everywhere in cnnfast.

    Examples
    --------
    >>> from cnnfast.layers import Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Linear(np.zeros((2, 3)), np.zeros(2))], (3,))
    >>> make_engine(graph, SoftmaxCrossEntropy(), batch=4).classes
    2
    """
    return ChwnEngine(graph, loss, batch, threads=threads, **options)
