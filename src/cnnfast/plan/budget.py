"""How many bytes a plan may take: asked before anything is made, because a small file can ask for gigabytes.

What counts is what planning makes: weights as the kernels read them, offset tables, and one thread's arena. The
weights of the network itself are there already, and as many bytes as they take are allowed on top of the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Op, Shape
from cnnfast.plan.step import Packed

FLOAT = PLACE = 4
"""Bytes of a value in the arena, and of a place in a table."""


class BudgetError(GraphError):
    """A plan that would take more memory than it may."""


MOVES = (ops.Binary, ops.Concat, ops.Flatten, ops.Pad, ops.Reshape, ops.Slice, ops.Transpose)
"""Ops that take elements to other channels, in some layout by offset tables."""


@dataclass(eq=False, repr=False)
class PlanBudget:
    """Bytes that may be taken, and those that were, by any number of lowerings of one plan.

    Attributes
    ----------
    limit : float
    taken : int
    arrays : dict of int to array or Packed
        What was counted, by identity: an array that several steps read counts once.
    """

    limit: float = math.inf
    taken: int = 0
    arrays: dict[int, Array | Packed] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, most: int) -> PlanBudget:
        """Return a budget of ``most`` bytes beyond the constants of a graph."""
        return cls(most + sum({id(array): array.nbytes for array in graph.constants.values()}.values()))

    def ask(self, count: int, what: str) -> None:
        """Raise `BudgetError` if that many bytes more would be too many."""
        if self.taken + count > self.limit:
            raise BudgetError(
                f"{what} would take {_amount(self.taken + count)} for activations, packed weights and tables; at most "
                f"{_amount(self.limit)} are allowed (CNNFAST_MAX_BYTES and what the weights take). Use a smaller "
                f"input, or allow more: CNNFAST_MAX_BYTES={2 ** math.ceil(math.log2(self.taken + count))}"
            )

    def take(self, arrays: Iterable[object], what: str) -> None:
        """Count arrays that a step reads."""
        for array in arrays:
            if isinstance(array, np.ndarray | Packed) and id(array) not in self.arrays:
                self.ask(array.nbytes, what)
                self.taken += array.nbytes
                self.arrays[id(array)] = array

    def ask_for_node(self, node: Node, shapes: Sequence[Shape], lanes: int, whole: bool = True) -> None:
        """Ask for what lowering a node will make: its values, where they exist as a whole, and its tables."""
        what = f"node {node.name!r} ({node.op.name})"
        for op, inputs, result in _parts(node.op, shapes):
            # an op may work in place, so the largest value is what it needs at least
            values = max(math.prod(shape) for shape in (*inputs[: len(op.data)], result)) if whole else 0
            self.ask(values * lanes * FLOAT + _tables(op, inputs, result), what)


def _parts(op: Op, shapes: Sequence[Shape]) -> Iterator[tuple[Op, Sequence[Shape], Shape]]:
    """Yield the ops of a node with the shapes of what each reads and makes."""
    if not isinstance(op, ops.Fused):
        yield op, shapes, op.shape(*shapes)
        return
    result: Shape = ()
    for index, (part, own) in enumerate(op.steps(*shapes)):
        inputs = (result, *own) if index else own
        result = part.shape(*inputs)
        yield part, inputs, result


def _tables(op: Op, inputs: Sequence[Shape], result: Shape) -> int:
    """Return the bytes of the tables of an op, at most: where each element or pixel comes from and goes."""
    if isinstance(op, ops.Conv2d):
        return 3 * PLACE * math.prod(result[1:]) + PLACE * math.prod(inputs[1][1:])
    if isinstance(op, ops.Resize):
        return sum((PLACE + FLOAT) * op.window(inputs[0][axis + 1], axis) * op.size[axis] for axis in (0, 1))
    if isinstance(op, ops.AvgPool):
        return FLOAT * math.prod(result[1:])
    return 2 * PLACE * math.prod(result) if isinstance(op, MOVES) else 0


def _amount(count: float) -> str:
    """Return a number of bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count / 2**20:.1f} MiB"
