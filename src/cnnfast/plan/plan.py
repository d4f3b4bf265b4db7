"""The plan: a flat, immutable list of steps and where their values are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import Graph, optimize
from cnnfast.graph.passes import PASSES, Pass
from cnnfast.ops import Shape
from cnnfast.plan.budget import BudgetError, PlanBudget
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.chwn.lowering import lower_chwn
from cnnfast.plan.cost import total_cost, total_work
from cnnfast.plan.lowering import Lowering, Triple, strides_of
from cnnfast.plan.memory import place
from cnnfast.plan.nchw import lower_nchw
from cnnfast.plan.nchwc.lowering import lower_nchwc
from cnnfast.plan.step import SharedWeights, Step
from cnnfast.runtime import config
from cnnfast.runtime.config import MAX_BYTES
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.mapped import in_memory
from cnnfast.runtime.tables import aligned

MAX_ARENA = (1 << 31) - 1
"""The largest arena of one thread, in floats: offset tables hold 32 bits."""


LAYOUTS = ("chwn", "nchwc", "nchw")
"""Fast kernels with images or, one image at a time, channels in the lanes; naive kernels, one image at a time."""


@frozen
class Plan:
    """How a graph runs.

    Attributes
    ----------
    graph : Graph
        The graph after all passes.
    layout : {"chwn", "nchwc", "nchw"}
    lanes : int
        Floats in an element of the arena.
    group : int
        Images in a group.
    steps : tuple of Step
    shapes : mapping of str to Shape
        The shape of every value, of one image.
    offsets : mapping of str to int
        Where the first element of each value is in the arena, in elements.
    strides : mapping of str to (int, int, int)
        The distance of channels, rows and columns of each graph input.
    results : tuple of str
        The value that holds each graph output.
    workspaces : tuple of int
        Where the workspace of each step is.
    arena : int
        Size of one thread's arena, in elements.
    algorithms : container of str
        The algorithms of convolution that may be used.
    max_bytes : int
        What planning may take beyond the weights.
    """

    graph: Graph
    layout: str
    lanes: int
    group: int
    steps: tuple[Step, ...]
    shapes: Mapping[str, Shape]
    offsets: Mapping[str, int]
    strides: Mapping[str, Triple]
    results: tuple[str, ...]
    workspaces: tuple[int, ...]
    arena: int
    algorithms: Container[str] = ALGORITHMS
    max_bytes: int = MAX_BYTES

    @cached_property
    def small_batch(self) -> Plan | None:
        """The plan that computes bit-identical results for one image at a time; None where there is no such plan."""
        if self.layout != "chwn":
            return None
        try:
            return make_plan(self.graph, "nchwc", passes=(), algorithms=self.algorithms, max_bytes=self.max_bytes)
        except (UnsupportedError, BudgetError):
            return None

    def small_batch_program(self, steps: Callable[[], list[Any]] | None = None) -> tuple[Any, float] | None:
        """Return the program of `small_batch`, and what an image may cost there, where a group costs 1 here.

        It asks ``steps`` for its own when it runs first; by default the plan, which stays in memory until then.
        """
        small = self.small_batch
        if small is None or not self.steps:
            return None
        return small.program_with(steps=steps or small.packed_steps), self._cost_of_one(small)

    def _cost_of_one(self, small: Plan) -> float:
        return total_cost(small.steps) / total_cost(self.steps)

    def for_batch(self, images: int) -> Plan:
        """Return the plan that a batch begins with on one thread, as estimated: this one, or `small_batch`."""
        small = self.small_batch
        if small is None or not self.steps:
            return self
        groups, _ = kernels.partition_batch(images, self.group, 1, self._cost_of_one(small))
        return self if groups else small

    @cached_property
    def program(self) -> Any:
        """The plan as the kernels run it."""
        return self.program_with()

    @cached_property
    def program_for_any_batch(self) -> Any:
        """The same, but a small batch goes through `small_batch`, made when it is needed, where that is faster."""
        return self.program_with(self.small_batch_program)

    def packed_steps(self) -> list[Any]:
        """Return the steps as `program` takes them, with all weights packed."""
        return [
            (
                step.kernel,
                dict(step.ints),
                dict(step.floats),
                [self.offsets[v] if isinstance(v, str) else in_memory(v) for v in step.operands],
                tuple(map(in_memory, step.arrays())),
                step.tables,
                self.offsets[step.result],
                workspace,
            )
            for step, workspace in zip(self.steps, self.workspaces, strict=True)
        ]

    def program_with(
        self,
        small_batch: Callable[[], tuple[Any, float] | None] | None = None,
        work: float | None = None,
        steps: Callable[[], list[Any]] | None = None,
    ) -> Any:
        """Return a program, by default with its own amount of work and without another program for a small batch.

        If ``steps`` are passed, it asks for them when it runs its first group.
        """
        inputs = [(as_chw(s), self.offsets[v], *self.strides[v][:2]) for v, s in self.graph.inputs.items()]
        outputs = [(math.prod(self.shapes[v]), self.offsets[v]) for v in self.results]
        if work is None:
            work = total_work(self.steps) if self.layout == "nchwc" else 0
        try:
            return kernels.Program(
                steps or self.packed_steps(), self.arena, inputs, outputs, self.lanes, self.group, small_batch, work
            )
        except ValueError as error:
            raise GraphError(str(error)) from error

    @property
    def arena_bytes(self) -> int:
        """Size of one thread's arena, in bytes."""
        return self.arena * self.lanes * 4

    def explain(self) -> str:
        """Return a table: each step, its kernel, the shape of its result and why it was chosen."""
        lines = [(s.node, s.kernel, "x".join(map(str, self.shapes[s.result])), s.reason) for s in self.steps]
        times = Counter(lines)
        rows = [("node", "kernel", "result", "why")]
        for line, count in times.items():
            rows.append((*line[:3], line[3] + (f", {count} times" if count > 1 else "")))
        table = aligned(rows, left=range(4))
        table.append(f"images in a group: {self.group}, arena of a thread: {self.arena_bytes / 1024:.0f} KiB")
        return "\n".join(table)


def make_plan(
    graph: Graph,
    layout: str = "chwn",
    *,
    passes: Sequence[Pass] = PASSES,
    algorithms: Container[str] = ALGORITHMS,
    max_bytes: int | None = None,
    weights: SharedWeights | None = None,
) -> Plan:
    """Plan a graph: run the passes, lower each node to steps, place the values.

    Parameters
    ----------
    graph : Graph
    layout : {"chwn", "nchwc", "nchw"}
        Images in the lanes, channels in the lanes, or the naive kernels.
    passes, algorithms : optional
        Which passes run, and which algorithms of convolution images in the lanes may use. For benchmarks and tests
        only, since both change the bits.
    max_bytes : int, optional
        What packed weights, tables and the arena of a thread may take together, beyond the bytes of the network's own
        weights; ``CNNFAST_MAX_BYTES`` by default, and 1 GiB where that is not set.
    weights : SharedWeights, optional
        What other plans, of graphs that have some of the same arrays, packed for images in the lanes.

    Raises
    ------
    GraphError
        If more memory would be needed; it was not taken then.
    UnsupportedError
        If an op has no kernel for its shape; all such nodes are listed.
    """
    most = config.max_bytes() if max_bytes is None else max_bytes
    budget = PlanBudget.of(graph, most)
    optimized = optimize(graph, passes)
    lowered = _lower(optimized, layout, algorithms, budget, weights)
    lanes = 1 if layout == "nchw" else kernels.lanes()
    group = lanes if layout == "chwn" else 1
    results = tuple(lowered.results.get(v, v) for v in optimized.outputs)
    offsets, workspaces, arena = place(lowered.steps, lowered.size, optimized.inputs, results, lowered.aliases)
    budget.ask(arena * lanes * 4, f"a network of {len(optimized.nodes)} nodes, {group} images at once,")
    if arena * lanes > MAX_ARENA:
        raise GraphError(
            f"{group} images at once would need {arena * lanes * 4 / 2**30:.1f} GiB for their activations, and no more "
            f"than {MAX_ARENA * 4 / 2**30:.0f} GiB can be addressed. Use a smaller input."
        )
    offsets = {value: start + lowered.origin(value) for value, start in offsets.items()}
    strides = {v: input_strides(lowered.strides(v), s) for v, s in optimized.inputs.items()}
    steps = tuple(lowered.steps)
    return Plan(
        optimized,
        layout,
        lanes,
        group,
        steps,
        lowered.shapes,
        offsets,
        strides,
        results,
        tuple(workspaces),
        arena,
        algorithms,
        most,
    )


def _lower(
    graph: Graph, layout: str, algorithms: Container[str], budget: PlanBudget, weights: SharedWeights | None
) -> Lowering:
    if layout == "nchw":
        return lower_nchw(graph, budget)
    if layout == "nchwc":
        return lower_nchwc(graph, algorithms, budget)
    return lower_chwn(graph, algorithms, budget, weights)


def input_strides(strides: Triple, shape: Shape) -> Triple:
    """Return the strides of an input as (C, H, W), where missing axes count as trailing ones of size 1."""
    return strides if len(shape) == 3 else strides_of(as_chw(shape))


def as_chw(shape: Shape) -> tuple[int, int, int]:
    """Return a shape of any rank up to three as (C, H, W)."""
    if len(shape) > 3:
        raise GraphError(f"an input of shape {shape} has more than three axes")
    c, h, w = (*shape, 1, 1, 1)[:3]
    return c, h, w
