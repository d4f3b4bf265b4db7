"""Numbers of a file that are far beyond what a value can hold: an error or a result, and within a second."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import numpy as np
import pytest
from cases import Case, cases_of
from kernels.engines import execute

from cnnfast.errors import CnnfastError
from cnnfast.graph import Graph, Node
from cnnfast.ops import OPS, Op
from cnnfast.plan import make_plan

HUGE = ((1 << 20) - 1, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 40, 1 << 63, 1 << 70, -(1 << 40))
WIDE = (1e-300, 1e-6, 1e6, 1e300, -1e300)

WITH_IT: tuple[dict[str, object], ...] = (
    *({}, {"padding": (1 << 20) - 1}, {"stride": 1 << 20}, {"ceil_mode": True}, {"stride": 1024}),
    *({"antialias": True, "mode": "cubic"}, {"mode": "wrap"}, {"mode": "edge"}),
)
"""Attributes to go with a huge one, so that shapes are possible at all."""


def smallest_case(name: str) -> Case:
    """Return the case of an op that takes the least memory."""
    return min(cases_of(OPS[name]), key=lambda case: sum(int(np.prod(s)) for s in (*case.inputs, *case.parameters)))


def extremes(value: object) -> Iterator[object]:
    """Yield huge values in the place of an attribute."""
    if isinstance(value, bool | str):
        return
    if isinstance(value, float):
        yield from WIDE
    elif isinstance(value, int):
        yield from HUGE
    elif isinstance(value, tuple):
        for huge in HUGE:
            yield (huge,) * len(value)
            yield from ((*value[:i], huge, *value[i + 1 :]) for i in range(len(value)))
        yield (1,) * 100_000
        yield tuple(range(100_000))


def with_huge_attributes(op: Op) -> Iterator[dict[str, object]]:
    """Yield changes of the attributes of an op."""
    names = [f.name for f in dataclasses.fields(op)]  # type: ignore[arg-type]
    for name in names:
        for value in extremes(getattr(op, name)):
            for others in WITH_IT:
                if set(others) <= set(names) - {name}:
                    yield {name: value} | others


def run_everywhere(case: Case, op: Op) -> None:
    """Run an op in every layout that has kernels for it."""
    before = case.graph()
    graph = Graph(before.inputs, (Node("y", op, before.nodes[0].inputs),), before.constants, ("y",))
    for layout in ("chwn", "nchwc", "nchw"):
        try:
            execute(make_plan(graph, layout, max_bytes=1 << 26), list(case.feed(images=1).values()))
        except CnnfastError:
            continue


@pytest.mark.parametrize("name", OPS)
def test_an_error_or_a_result_within_a_second(name: str) -> None:
    case = smallest_case(name)
    for changes in with_huge_attributes(case.op):
        start = time.process_time()
        try:
            op = dataclasses.replace(case.op, **changes)  # type: ignore[type-var]
            with np.errstate(all="ignore"):
                run_everywhere(case, op)
        except CnnfastError:
            pass
        assert time.process_time() - start < 1, f"{name} with {str(changes)[:200]}"
