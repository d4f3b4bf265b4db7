"""The plan: a flat, immutable list of steps and where their values lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnnfast._dispatch import kernels
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, optimise
from cnnfast.ops import Shape
from cnnfast.plan.lower import lower
from cnnfast.plan.memory import place
from cnnfast.plan.step import Step

MAX_ARENA = 1 << 29
"""The largest arena of one thread, in floats (2 GiB): a network beyond it is refused before memory is taken."""


@dataclass(frozen=True)
class Plan:
    """How a graph runs.

    Attributes
    ----------
    graph : Graph
        The graph after all passes.
    steps : tuple of Step
    shapes : mapping of str to Shape
        The shape of every value, of one image.
    offsets : mapping of str to int
        Where each value lies in the arena, in floats of one image.
    arena : int
        Size of one thread's arena, in floats.
    """

    graph: Graph
    steps: tuple[Step, ...]
    shapes: Mapping[str, Shape]
    offsets: Mapping[str, int]
    arena: int

    @cached_property
    def program(self) -> Any:
        """The plan as the kernels run it."""
        return kernels.Program(
            [
                (
                    step.kernel,
                    dict(step.ints),
                    dict(step.floats),
                    [self.offsets[v] if isinstance(v, str) else v for v in step.operands],
                    step.parameters,
                    self.offsets[step.result],
                )
                for step in self.steps
            ],
            self.arena,
            [(as_chw(shape), self.offsets[name]) for name, shape in self.graph.inputs.items()],
            [(math.prod(self.shapes[name]), self.offsets[name]) for name in self.graph.outputs],
        )

    def explain(self) -> str:
        """Return a table: each step, its kernel, the shape of its result and why it was chosen."""
        rows = [("node", "kernel", "result", "why")]
        for step in self.steps:
            rows.append((step.node, step.kernel, "x".join(map(str, self.shapes[step.result])), step.reason))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
        lines.append(f"arena: {self.arena * 4 / 1024:.0f} KiB a thread")
        return "\n".join(line.rstrip() for line in lines)


def make_plan(graph: Graph) -> Plan:
    """Plan a graph: run the passes, lower each node to steps, place the values.

    Raises
    ------
    GraphError
        If one image would need more than `MAX_ARENA`.
    UnsupportedError
        If an op has no kernel for its shape; all such nodes are listed.
    """
    optimised = optimise(graph)
    lowered = lower(optimised)
    offsets, arena = place(lowered.steps, lowered.shapes, optimised.inputs, optimised.outputs, lowered.aliases)
    if arena > MAX_ARENA:
        raise GraphError(
            f"one image would need {arena * 4 / 2**30:.1f} GiB for its activations; at most {MAX_ARENA * 4 >> 30} GiB "
            "are allowed. Use a smaller input."
        )
    return Plan(optimised, tuple(lowered.steps), lowered.shapes, offsets, arena)


def as_chw(shape: Shape) -> tuple[int, int, int]:
    """Return a shape of any rank up to three as (C, H, W)."""
    if len(shape) > 3:
        raise GraphError(f"an input of shape {shape} has more than three axes")
    c, h, w = (*shape, 1, 1, 1)[:3]
    return c, h, w
