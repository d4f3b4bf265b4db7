"""The ladder of a benchmark: one network run in ever faster ways, each checked against the reference, then timed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from statistics import median
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, evaluate
from cnnfast.graph.answers import with_probabilities
from cnnfast.graph.passes import PASSES, fuse
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.plan import make_plan

FEW = 8
"""Images that the reference and the naive kernels take: they are slow, and no faster per image for many."""

PLAUSIBLE = 0.01
"""A result further than this from the reference, in units of the largest output, is wrong and not merely rounded."""

DIRECT = ("dense", "direct")


@frozen
class LadderResult:
    """What one rung did."""

    name: str
    threads: int
    images: int
    best: float
    """Seconds of the fastest run over ``images``."""
    median: float
    difference: float
    """Largest difference from the reference, of all outputs of `FEW` images."""
    subject: Subject
    """What was run."""

    @property
    def rate(self) -> float:
        """Images per second of the fastest run."""
        return self.images / self.best


@frozen
class Subject:
    """A network from images to probabilities, and a batch of random images for it."""

    graph: Graph
    images: Array
    pixels: tuple[Array, Array] | None

    @classmethod
    def of(cls, net: Network, batch: int) -> Subject:
        """Return a network with bytes if it knows how they become values, as pictures are stored, else with floats."""
        rng = np.random.default_rng(0)
        c, h, w = (*net.input_shape, 1, 1)[:3]
        graph = with_probabilities(net.graph)
        if net.preprocess is None:
            return cls(graph, rng.standard_normal((batch, c, h, w), np.float32), None)
        pictures = rng.integers(0, 256, (batch, h, w, c), np.uint8)
        return cls(graph, pictures.transpose(0, 3, 1, 2), net.preprocess.affine())

    @property
    def in_integers(self) -> bool:
        """Whether its layers compute with bytes."""
        return self.graph.is_quantized

    @property
    def flops(self) -> int:
        """Floating-point operations of one image, where every convolution is counted as a direct one."""
        return sum(self.graph.cost(node).flops for node in self.graph.nodes)

    def reference(self) -> Array:
        """Compute the outputs of the first images in float64."""
        values = self.images[:FEW].astype(np.float64)
        if self.pixels is not None:
            factor, shift = (v.astype(np.float64)[:, None, None] for v in self.pixels)
            values = values * factor + shift
        ((name, shape),) = self.graph.inputs.items()
        (output,) = self.graph.outputs
        return evaluate(self.graph, {name: values.reshape(-1, *shape)})[output].reshape(len(values), -1)

    @cached_property
    def truth(self) -> Array:
        """What `reference` gives."""
        return self.reference()

    def check(self, way: str, result: Array) -> float:
        """Return the largest difference of a result from the reference.

        Raises
        ------
        GraphError
            If it is more than rounding explains: a defect of cnnfast.
        """
        difference = float(np.abs(result[: len(self.truth)] - self.truth).max())
        if not difference <= PLAUSIBLE * float(np.abs(self.truth).max()):
            raise GraphError(
                f"{way}: the outputs are off by {difference:.3g}, which is more than rounding; please report this "
                "network"
            )
        return difference

    def run(self, program: Any, images: int, threads: int) -> Array:
        """Compute the outputs of the first images by the program of a plan."""
        result = np.empty((images, math.prod(self.graph.shapes[self.graph.outputs[0]])), np.float32)
        program.run([self.images[:images]], [result], threads, self.pixels)
        return result


def climb(subject: Subject, threads: int, seconds: float) -> Iterator[LadderResult]:
    """Run every rung for ``seconds``, the slowest first.

    Raises
    ------
    GraphError
        If the results of a rung differ from the reference: a defect of cnnfast.
    """
    few, batch = min(FEW, len(subject.images)), len(subject.images)
    plan = partial(make_plan, subject.graph)
    chosen = plan().program_for_any_batch
    unfused = [simplify for simplify in PASSES if simplify is not fuse]
    yield _rung("NumPy, float64", subject.reference, subject, 1, few, seconds)
    rungs = (
        ("naive kernels", plan("nchw").program, few, 1),
        ("images in the lanes, unfused, direct", plan(passes=unfused, algorithms=DIRECT).program, batch, 1),
        ("fused, direct", plan(algorithms=DIRECT).program, batch, 1),
        *(("fused, as planned", chosen, batch, count) for count in sorted({1, threads})),
    )
    for name, made, images, count in rungs:
        yield _rung(name, partial(subject.run, made, images, count), subject, count, images, seconds)


def climb_integers(subject: Subject, floats: Subject | None, threads: int, seconds: float) -> Iterator[LadderResult]:
    """Run a network of integers, in turn with the same network in float if there is one, each for ``seconds``.

    Raises
    ------
    GraphError
        If the results of a rung differ from its reference: a defect of cnnfast.
    """
    few, batch = min(FEW, len(subject.images)), len(subject.images)
    yield _rung("NumPy, exact integers", subject.reference, subject, 1, few, seconds)
    ways = [("in integers, as planned", subject)]
    if floats is not None:
        ways.insert(0, ("in float, as planned", floats))
    made = [(name, of, partial(of.run, make_plan(of.graph).program_for_any_batch, batch)) for name, of in ways]
    for count in sorted({1, threads}):
        computes = [partial(run, count) for _, _, run in made]
        differences = [of.check(name, compute()) for (name, of, _), compute in zip(made, computes, strict=True)]
        for (name, of, _), difference, times in zip(made, differences, _timed(computes, seconds), strict=True):
            yield LadderResult(name, count, batch, min(times), median(times), difference, of)


def _rung(
    name: str, compute: Callable[[], Array], subject: Subject, threads: int, images: int, seconds: float
) -> LadderResult:
    difference = subject.check(name, compute())
    (times,) = _timed([compute], seconds)
    return LadderResult(name, threads, images, min(times), median(times), difference, subject)


def _timed(ways: Sequence[Callable[[], object]], seconds: float) -> list[list[float]]:
    """Return the times of calls that take turns, until each has taken that many seconds, and at least one call."""
    times: list[list[float]] = [[] for _ in ways]
    while not times[0] or min(map(sum, times)) < seconds:
        for compute, own in zip(ways, times, strict=True):
            start = time.perf_counter()
            compute()
            own.append(time.perf_counter() - start)
    return times
