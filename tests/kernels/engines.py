"""Every way in which this machine can run a graph: naive, or images or channels in the lanes of an instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph
from cnnfast.plan import Plan, make_plan
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.matrix_tiles import MATRIX
from cnnfast.runtime.dispatch import kernels

ENGINES = ["nchw", *(f"{layout}-{isa}" for layout in ("chwn", "nchwc") for isa in kernels.supported_isas())]

FUSED = [isa for isa in kernels.supported_isas() if kernels.has_fma(isa)]
"""Instruction sets with a fused multiply-add: their results are bit-identical."""


@contextmanager
def using(engine: str) -> Iterator[str]:
    """Select the instruction set of an engine inside a ``with`` block; gives the layout."""
    before = kernels.active_isa()
    layout, _, isa = engine.partition("-")
    try:
        kernels.select_isa(isa or before)
        yield layout
    finally:
        kernels.select_isa(before)


def integer_engines() -> Iterator[tuple[str, str]]:
    """Yield every instruction set with each way to multiply bytes that this CPU has."""
    for isa in kernels.supported_isas():
        with using(f"chwn-{isa}"):
            yield from ((isa, dot) for dot in kernels.dot_products())


@contextmanager
def multiplying(isa: str, dot: str) -> Iterator[None]:
    """Select an instruction set and its way to multiply bytes inside a ``with`` block."""
    with using(f"chwn-{isa}"):
        kernels.select_dot_product(dot)
        try:
            yield
        finally:
            kernels.select_dot_product(kernels.dot_products()[-1])


def integer_plans(graph: Graph, layout: str) -> Iterator[Plan]:
    """Yield a plan of a graph without matrix tiles, and for an integer graph with images in the lanes one with them."""
    isa = kernels.active_isa()
    with multiplying(isa, "widening"):
        yield make_plan(graph, layout)
        if layout == "chwn":
            yield make_plan(graph, layout, algorithms=(*ALGORITHMS, MATRIX))


def execute(plan: Plan, feed: list[np.ndarray], threads: int = 1, pixels: object = None) -> list[np.ndarray]:
    """Return the outputs of a plan, each of shape (N, count)."""
    images = [array.reshape(*array.shape, *(1,) * (4 - array.ndim)) for array in feed]
    counts = [int(np.prod(plan.shapes[name])) for name in plan.graph.outputs]
    results = [np.full((len(feed[0]), count), np.nan, np.float32) for count in counts]
    plan.program.run(images, results, threads, pixels)
    return results


def run(engine: str, graph: Graph, feed: list[np.ndarray], threads: int = 1) -> list[np.ndarray]:
    """Return the outputs of a graph, run by an engine."""
    with using(engine) as layout:
        return execute(plan_of(graph, layout), feed, threads)


def has_kernels(engine: str, graph: Graph) -> bool:
    """Return whether an engine runs a graph: channels in the lanes have no kernel for some ops that a batch has."""
    with using(engine) as layout:
        try:
            make_plan(graph, layout)
        except UnsupportedError:
            if layout != "nchwc":
                raise
            return False
    return True


def plan_of(graph: Graph, layout: str) -> Plan:
    """Return the plan of a graph; a test is skipped where channels in the lanes have no kernel, and a batch has."""
    try:
        return make_plan(graph, layout)
    except UnsupportedError as error:
        if layout != "nchwc":
            raise
        pytest.skip(str(error))
