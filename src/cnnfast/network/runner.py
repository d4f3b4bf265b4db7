"""A graph made ready to be called with images: the short way through buffers, the long way through NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from cnnfast.errors import InputError
from cnnfast.graph import Graph
from cnnfast.images.arrays import (
    FINITE,
    NEAR,
    about_values,
    as_images,
    as_kernel_input,
    check_out,
    check_policies,
    rules_of,
)
from cnnfast.images.preprocess import UNSAID, Preprocess
from cnnfast.ops import Array, Shape
from cnnfast.plan import Plan
from cnnfast.plan.plan import as_chw
from cnnfast.plan.programs import Programs
from cnnfast.runtime.dispatch import Entry, Program
from cnnfast.runtime.once import made_once
from cnnfast.runtime.threads import of_call

COPIED_ELEMENTS, COPIED_IMAGES = 1 << 22, 64
"""For each thread, of the images that are copied at a time where they must be copied first: whichever is more."""

RAISE = "raise"
BOTH_CHECKS = FINITE | NEAR


class Runner:
    """Computes the output of a graph for images, as a user gives them.

    Parameters
    ----------
    graph : Graph
        With one input and one output.
    result : tuple of int
        Shape of the result for one image; as many elements as the output has.
    preprocess : Preprocess or None
        How pictures become the input.
    """

    def __init__(self, graph: Graph, result: Shape, preprocess: Preprocess | None) -> None:
        ((_, self._shape),) = graph.inputs.items()
        self._graph, self.result, self._preprocess = graph, result, preprocess
        self._programs = Programs(graph)
        self.rules = rules_of(self._shape, preprocess)

    def plan(self) -> Plan:
        """Return how the graph runs."""
        return self._programs.plan()

    @made_once
    def _program(self) -> Program:
        made: Program = self._programs.make()
        return made

    @made_once
    def entry(self) -> Entry:
        """The short way, for any number of images."""
        return self.entry_for(0)

    def entry_for(self, batch: int) -> Entry:
        """Return the short way for that many images, or for any number if it is 0."""
        pixels, bounds = self._affine(), self.rules.bounds
        return Entry(self._program, as_chw(self._shape), self.result, pixels, bounds, batch, np.ndarray, _empty)

    def run(
        self, images: object, layout: str | None, nan_policy: str, outliers: str, threads: int | None, out: Array | None
    ) -> Array:
        """Compute the results of images; see `Network.forward`."""
        # identity is enough for usual arguments, and is safe for objects of any type
        if nan_policy is RAISE and outliers is RAISE:
            checks = BOTH_CHECKS
        else:
            check_policies(nan_policy, outliers)
            checks = FINITE * (nan_policy == "raise") + NEAR * (outliers == "raise")
        result = self.entry.run(images, layout, checks, of_call(threads), out)
        return self._run_long(images, layout, checks, of_call(threads), out) if result is None else result

    def _run_long(self, images: object, layout: str | None, checks: int, threads: int, out: Array | None) -> Array:
        """Bring what an `Entry` does not take into a form that it takes, or raise an error that says what is wrong."""
        batch = as_images(images, self.rules, self.entry.axes, layout)
        if batch.dtype == np.uint8 and self._preprocess is None:
            raise InputError(NO_PREPROCESSING)
        shape = (len(batch), *self.result)
        result = np.empty(shape, np.float32) if out is None else check_out(out, shape)
        if np.may_share_memory(result, batch):
            raise InputError("out and images overlap in memory; pass an out with separate memory")
        rows = np.asarray(result)
        for part in self._parts(len(batch), threads):
            values = as_kernel_input(batch[part])
            if self.entry.run(values, "nchw", checks, threads, rows[part]) is None:
                raise InputError(about_values(values, part.start, checks, self.rules.bounds))
        return result

    def _affine(self) -> tuple[Array, Array] | None:
        """Return what turns the bytes of each channel of the graph's input into values."""
        if self._preprocess is None:
            return None
        channels = as_chw(self._shape)[0]
        factor, shift = self._preprocess.affine()
        if len(factor) == channels:
            return factor, shift
        # gray pixels are along the axis that the program takes for channels
        return np.repeat(factor, channels), np.repeat(shift, channels)

    def _parts(self, images: int, threads: int) -> Iterator[slice]:
        """Cut a batch into parts that are copied one after the other, so that memory is constant."""
        size = threads * max(COPIED_IMAGES, COPIED_ELEMENTS // max(math.prod(self._shape), 1))
        return (slice(start, min(start + size, images)) for start in range(0, images, size))


NO_PREPROCESSING = f"this network takes floats, and no uint8 pixels or pictures: it {UNSAID}"


def _empty(shape: Shape) -> Array:
    return np.empty(shape, np.float32)
