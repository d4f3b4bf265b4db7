"""The fast engine: images in the lanes, layer by layer over the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast.errors import InputError, UnsupportedError
from cnnfast.graph import Graph
from cnnfast.ops import Array, BatchNorm
from cnnfast.ops.gradients import dropout_keys
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import of_call
from cnnfast.train.engine.base import Engine
from cnnfast.train.engine.chunks import Partial, checked_chunks, chunk_count, images_of, in_order, joined
from cnnfast.train.engine.plan import make_training_plan
from cnnfast.train.losses import Loss


class ChwnEngine(Engine):
    """Computes with images in the lanes; see `Engine`.

    A step can be taken apart: `partial` computes some of its chunks, here or in another process, and `combine` joins
    them, bit-identical to `step`.

    Parameters
    ----------
    graph, loss, batch, **options
        As for `Engine`.
    threads : int, optional
        As everywhere in cnnfast.
    norm_over : {"batch", "chunk"}
        What batch-norm takes its statistics over; with "chunk", its running averages follow the mean over the chunks.

    Examples
    --------
    >>> from cnnfast.layers import Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Linear(np.zeros((2, 3)), np.zeros(2))], (3,))
    >>> engine = ChwnEngine(graph, SoftmaxCrossEntropy(), batch=4)
    >>> x, labels = np.ones((4, 3), np.float32), np.array([0, 1, 1, 1])
    >>> loss, scores = engine.step(x, labels, step_number=0)
    >>> round(loss, 4), engine.gradients["linear_1.bias"].tolist()
    (0.6931, [0.25, -0.25])
    >>> part = engine.partial(x, labels, 0, total=4, chunk=0)
    >>> engine.combine([part], total=4)[0] == loss
    True
    """

    def __init__(
        self,
        graph: Graph,
        loss: Loss,
        batch: int,
        *,
        threads: int | None = None,
        norm_over: str = "batch",
        **options: Any,
    ) -> None:
        super().__init__(graph, loss, batch, **options)
        self._threads = of_call(threads)
        self.norm_over = norm_over
        self.plan = make_training_plan(self, self._threads)
        norms = [n for n in self.graph.nodes if isinstance(n.op, BatchNorm) and self.trains_statistics(n.name)]
        self._norm_gradients = [v for n in norms for v in n.inputs[1:3] if v in self.gradients]
        self._running = [v for n in norms for v in n.inputs[3:5]]

    def partial(self, x: Array, targets: Array, step_number: int, *, total: int, chunk: int | range) -> Partial:
        """Compute what some chunks of a batch contribute to a step, with the parameters as they are.

        Parameters
        ----------
        x, targets
            The images of these chunks, `images_of` them, and their targets; see `step`.
        step_number : int
        total : int
            Images of the whole batch.
        chunk : int or range
            Which of its chunks this is, or these are.

        Raises
        ------
        InputError, ConfigError
            If images, targets or numbers of chunks do not fit.
        UnsupportedError
            If a batch-norm needs the statistics of the whole batch.
        """
        self.check_divisible()
        wanted = self._checked(x, targets)
        return self._partial(x, wanted, step_number, total, checked_chunks(chunk, total, len(x)))

    def check_divisible(self) -> None:
        """Check that chunks of a step can be computed apart.

        Raises
        ------
        UnsupportedError
            If a batch-norm needs the statistics of the whole batch.
        """
        if self._running and self.norm_over == "batch":
            raise UnsupportedError(
                "a step of this network cannot be computed in parts: before any image can pass a batch-norm, its "
                "statistics need all images of the batch; take them over each chunk (Recipe(norm_over='chunk'), which "
                "gives another network), freeze scale and shift of every batch-norm, or train in one process"
            )

    def _partial(self, x: Array, targets: Array, step_number: int, total: int, chunks: range) -> Partial:
        if self._running:
            return joined([self._normed(x, targets, step_number, total, chunks.start, n) for n in chunks])
        per_chunk = kernels.chunk_groups(-(-total // kernels.lanes()))
        return self._sums(x, targets, step_number, images_of(chunks, total).start, chunks, per_chunk)

    def combine(self, partials: Sequence[Partial], total: int) -> tuple[float, Array]:
        """Fill `gradients` from all chunks of a batch, in any order; return what `step` returns.

        Raises
        ------
        ConfigError
            If a chunk is missing or came twice, or instruction sets differ.
        """
        whole = joined(in_order(partials, total))
        if len(whole.scores) != total or whole.sums.shape[1] != self.plan.flat.size:
            raise InputError(
                f"{len(whole.scores)} scores and sums of {whole.sums.shape[1]} numbers are of another step"
            )
        self.plan.training.combine(np.ascontiguousarray(whole.sums), total, self.plan.flat, of_call(self._threads))
        if self._running:
            self._follow(whole.norms, total)
        return float(whole.losses.reshape(-1, 1).mean(dtype=np.float64)), whole.scores

    def _step(self, x: Array, targets: Array, step_number: int) -> tuple[float, Array]:
        if self._running and self.norm_over == "chunk":
            chunks = range(chunk_count(len(x)))
            return self.combine([self._partial(x, targets, step_number, len(x), chunks)], len(x))
        threads, inputs = self._packed(), self._inputs(x, targets, step_number, 0)
        scores, losses = self._results(len(x))
        self.plan.training.step(inputs, [scores, losses], self.plan.flat, threads, self.pixels)
        return float(losses.mean(dtype=np.float64)), scores

    def _packed(self) -> int:
        """Pack the parameters as they are now, and return the number of threads."""
        threads = of_call(self._threads)
        for packer in self.plan.packers:
            packer.fill(self.parameters, threads)
        return threads

    def _inputs(self, x: Array, targets: Array, step_number: int, first: int) -> list[Array]:
        layers = range(len(self.plan.dropouts))
        keys = [dropout_keys(self.seed, step_number, layer, len(x), first) for layer in layers]
        return [_as_images(a) for a in (x, targets, *(key.view(np.float32) for key in keys))]

    def _results(self, images: int) -> tuple[Array, Array]:
        return np.empty((images, self.classes), np.float32), np.empty((images, 1), np.float32)

    def _sums(self, x: Array, targets: Array, step_number: int, first: int, chunks: range, per_chunk: int) -> Partial:
        threads, inputs = self._packed(), self._inputs(x, targets, step_number, first)
        (scores, losses), sums = self._results(len(x)), np.empty((len(chunks), self.plan.flat.size), np.float32)
        self.plan.training.partial(inputs, [scores, losses], sums, per_chunk, threads, self.pixels)
        return Partial(chunks, scores, losses[:, 0], sums, np.zeros((len(chunks), 0), np.float32), kernels.active_isa())

    def _normed(self, x: Array, targets: Array, step_number: int, total: int, begin: int, number: int) -> Partial:
        """Compute one chunk, with the statistics of its images; ``x`` begins with chunk ``begin``."""
        chunk, before = images_of(range(number, number + 1), total), images_of(range(begin, begin + 1), total).start
        part = slice(chunk.start - before, chunk.stop - before)
        kept = {name: self.parameters[name].copy() for name in self._running}
        try:
            # From zeros, the running averages become the share of this chunk alone.
            for name in self._running:
                self.parameters[name][...] = 0
            groups = -(-(part.stop - part.start) // kernels.lanes())
            own = range(number, number + 1)
            found = self._sums(x[part], targets[part], step_number, chunk.start, own, groups)
            arrays = [self.gradients[name] for name in self._norm_gradients]
            arrays += [self.parameters[name].copy() for name in self._running]
        finally:
            for name, array in kept.items():
                self.parameters[name][...] = array
        norms = np.concatenate([array.reshape(-1) for array in arrays])[None]
        return Partial(own, found.scores, found.losses, found.sums, norms, found.isa)

    def _follow(self, norms: Array, total: int) -> None:
        """Set the gradients of batch-norms to the mean over the images, and move their running averages."""
        means, at = np.zeros(norms.shape[1]), 0
        for number, row in enumerate(norms):
            part = images_of(range(number, number + 1), total)
            means += (part.stop - part.start) / total * row.astype(np.float64)
        for name in self._norm_gradients:
            gradient = self.gradients[name]
            gradient[...] = means[at : at + gradient.size].reshape(gradient.shape)
            at += gradient.size
        for name in self._running:
            running = self.parameters[name]
            running[...] = (1 - self.momentum) * running + means[at : at + running.size].reshape(running.shape)
            at += running.size

    def explain(self) -> str:
        """Return a table: the kernel of each step, by phase, and the memory that training takes."""
        return self.plan.explain()


def _as_images(array: Array) -> Array:
    return array.reshape(*array.shape, *(1,) * (4 - array.ndim))


def make_engine(graph: Graph, loss: Loss, batch: int, *, threads: int | None = None, **options: Any) -> ChwnEngine:
    """Return the engine that trains a graph; arguments are those of `ChwnEngine`.

    Examples
    --------
    >>> from cnnfast.layers import Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Linear(np.zeros((2, 3)), np.zeros(2))], (3,))
    >>> make_engine(graph, SoftmaxCrossEntropy(), batch=4).classes
    2
    """
    return ChwnEngine(graph, loss, batch, threads=threads, **options)
