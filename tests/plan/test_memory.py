"""Every value finds its own bytes when it is read: the places of plans, checked by running them over names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from random_graphs import random_graph, seeds
from small_graphs import net

from cnnfast.graph import Graph, optimize
from cnnfast.ops import Add, BatchNorm, Conv2d, GlobalAvgPool, Identity, MaxPool, Mul, Relu, Reshape, Sigmoid, Softmax
from cnnfast.plan import memory
from cnnfast.plan.chwn.lowering import lower_chwn
from cnnfast.plan.lowering import Lowering
from cnnfast.plan.memory import ALIGNMENT, place, root
from cnnfast.plan.nchw import lower_nchw
from cnnfast.plan.step import Step

LOWERINGS = [lower_chwn, lower_nchw]


@pytest.fixture(autouse=True, scope="module", params=[memory.MAX_BY_SIZE, 0], ids=["by size", "by time"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways of placing: the one of usual networks, and the one of those with very many values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MAX_BY_SIZE", request.param)
        yield


Lower = Callable[[Graph], Lowering]


class Memory:
    """An arena that holds in each place the name of the value that was written there last."""

    def __init__(self, lowering: Lowering, places: dict[str, int], end: int) -> None:
        self.cells = np.full(end, "", object)
        self._lowering, self._places = lowering, places

    def _cells(self, value: str) -> slice:
        start = self._places[value]
        assert start % ALIGNMENT == 0
        return slice(start, start + self._lowering.size(value))

    def write(self, value: str) -> None:
        where = self._cells(value)
        assert 0 <= where.start <= where.stop <= len(self.cells), f"{value} is outside of the arena"
        self.cells[where] = root(value, self._lowering.aliases)

    def read(self, value: str) -> None:
        found = set(self.cells[self._cells(value)])
        assert found == {root(value, self._lowering.aliases)}, f"where {value} should be there is {found}"

    def spoil(self, start: int, size: int) -> None:
        assert start + size <= len(self.cells)
        self.cells[start : start + size] = "workspace"


def check(lower: Lower, graph: Graph) -> int:
    """Run a graph over names, and return the size of its arena."""
    optimized = optimize(graph)
    lowering = lower(optimized)
    outputs = [lowering.results.get(v, v) for v in optimized.outputs]
    places, workspaces, end = place(lowering.steps, lowering.size, optimized.inputs, outputs, lowering.aliases)
    memory = Memory(lowering, places, end)
    for name in optimized.inputs:
        memory.write(name)
    for step, workspace in zip(lowering.steps, workspaces, strict=True):
        for value in step.reads():
            memory.read(value)
        # what a step works with while it still reads
        memory.spoil(workspace, step.workspace)
        for value in step.reads():
            memory.read(value)
        memory.write(step.result)
        for value in step.reads()[1 if step.in_place else 0 :]:
            if root(value, lowering.aliases) != root(step.reads()[0], lowering.aliases) or not step.in_place:
                memory.read(value)
    for value in outputs:
        memory.read(value)
    return end


@pytest.mark.parametrize("lower", LOWERINGS)
@given(seed=seeds())
def test_every_value_is_there_when_it_is_read(lower: Lower, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check(lower, random_graph(rng, any_rank=bool(rng.random() < 0.5)))


@pytest.mark.parametrize("lower", LOWERINGS)
@given(seed=seeds())
def test_it_is_there_where_places_are_given_in_order_of_time(lower: Lower, seed: int) -> None:
    """As where thousands of values live long."""
    before, memory.MAX_BY_SIZE = memory.MAX_BY_SIZE, 0
    try:
        rng = np.random.default_rng(seed)
        check(lower, random_graph(rng, any_rank=bool(rng.random() < 0.5)))
    finally:
        memory.MAX_BY_SIZE = before


def test_long_chains_reuse_two_places() -> None:
    """Without reuse there would be forty places."""
    nodes = [(f"y{i}", MaxPool(3, 1, 1), f"y{i - 1}" if i else "x") for i in range(40)]
    assert check(lower_nchw, net(*nodes, x=(4, 8, 8))) == 2 * 4 * 8 * 8


def step_named(lower: Lower, graph: Graph, node: str) -> tuple[Step, dict[str, int]]:
    """Return the last step of a node and the places of all values."""
    optimized = optimize(graph)
    lowering = lower(optimized)
    places, _, _ = place(lowering.steps, lowering.size, optimized.inputs, optimized.outputs, lowering.aliases)
    return [step for step in lowering.steps if step.node == node][-1], places


@pytest.mark.parametrize("lower", LOWERINGS)
def test_what_reads_and_writes_the_same_element_works_in_place(lower: Lower) -> None:
    graph = net(("pool", MaxPool(2), "x"), ("y", Softmax(), "pool"))
    step, places = step_named(lower, graph, "y")
    assert step.in_place
    assert places["y"] == places["pool"]


@pytest.mark.parametrize("lower", LOWERINGS)
@pytest.mark.parametrize(
    "graph",
    [
        net(("pool", MaxPool(2), "x"), ("y", Sigmoid(), "pool"), ("z", Add(), "pool", "y")),
        net(("pool", MaxPool(2), "x"), ("y", Sigmoid(), "pool"), outputs="y pool"),
        net(("pool", MaxPool(2), "x"), ("view", Reshape((48,)), "pool"), ("y", Sigmoid(), "pool"), outputs="y view"),
    ],
    ids=["read later", "an output", "read under another shape"],
)
def test_a_value_that_is_still_needed_is_not_overwritten(lower: Lower, graph: Graph) -> None:
    check(lower, graph)
    _, places = step_named(lower, graph, "y")
    assert places["y"] != places["pool"]


@pytest.mark.parametrize("lower", LOWERINGS)
def test_an_operand_that_is_stretched_is_not_overwritten(lower: Lower) -> None:
    gate = net(("p", MaxPool(2), "x"), ("g", GlobalAvgPool(), "p"), ("y", Mul(), "g", "p"))
    step, places = step_named(lower, gate, "y")
    assert not step.in_place
    assert places["y"] != places["g"]
    check(lower, gate)


def test_values_with_and_without_a_border_do_not_share() -> None:
    """In place would mean the same distances between rows, which a border changes."""
    graph = net(
        ("p", MaxPool(2), "x"), ("a", Relu(), "p"), ("c", Conv2d(padding=1), "a", "w"), ("y", Add(), "c", "p"),
        outputs="y a", w=(3, 3, 3, 3),
    )  # fmt: skip
    check(lower_chwn, graph)


def test_outputs_that_are_inputs_constants_or_other_names() -> None:
    graph = net(
        ("same", Identity(), "x"), ("flat", Reshape((-1,)), "x"), ("norm", BatchNorm(), "x", "p", "p", "p", "p"),
        ("k", Relu(), "c"), outputs="same flat norm k x", p=[1.0, 2.0, 3.0], c=(3, 2),
    )  # fmt: skip
    for lower in LOWERINGS:
        check(lower, graph)


def test_many_values_that_live_long_and_short_are_placed_without_looking_at_every_pair() -> None:
    """Neighbors that are free together become one place again, so the arena holds what is alive, and little more."""
    branches = [(f"b{i}", MaxPool(3, 1, 1), "x") for i in range(4000)]
    sums = [(f"s{i}", Add(), f"s{i - 1}" if i > 1 else "b0", f"b{i}") for i in range(1, 4000)]
    small = net(*branches[:200], *sums[:199], x=(4, 4, 4))
    large = net(*branches, *sums, x=(4, 4, 4))
    assert check(lower_nchw, large) <= 20 * 1.05 * check(lower_nchw, small)
