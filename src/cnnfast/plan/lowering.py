"""What lowering a graph to steps has in common, whatever the layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Op, Shape
from cnnfast.plan.budget import PlanBudget
from cnnfast.plan.step import SharedWeights, Step
from cnnfast.runtime.registry import Registry

Triple = tuple[int, int, int]

Made = TypeVar("Made")


@frozen
class NodeIO:
    """The context of an op: its node, the values that it reads, and the value that it makes."""

    node: str
    inputs: tuple[str, ...]
    result: str


@dataclass(eq=False, repr=False)
class Lowering:
    """The steps so far, the shapes of their values, and the values that are another one under a new shape.

    ``results`` names the value that holds an output of the graph, where that is not the output itself. ``made`` holds
    arrays that several steps may read, by what they were made from; ``weights`` those that the plans of several graphs
    may read.
    """

    graph: Graph
    steps: list[Step] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    budget: PlanBudget = field(default_factory=PlanBudget)
    made: dict[tuple[object, ...], Any] = field(default_factory=dict)
    weights: SharedWeights = field(default_factory=SharedWeights)

    def size(self, value: str) -> int:
        """Return how many elements of the arena a value takes."""
        return math.prod(self.shapes[value])

    def strides(self, value: str) -> Triple:
        """Return the distance of the channels, rows and columns of a value in the arena."""
        return strides_of(three_axes(self.shapes[value]))

    def origin(self, value: str) -> int:
        """Return the distance from the start of a value's memory to its first element."""
        return 0

    def append(self, step: Step) -> None:
        """Append a step, and count the arrays that it reads."""
        self.budget.take((*step.operands, *step.parameters, *step.tables), f"node {step.node!r}")
        self.steps.append(step)

    def once(self, make: Callable[[], Made], *key: object) -> Made:
        """Return what is made once for all steps that ask for it with the same key: an array, or several."""
        if key not in self.made:
            self.made[key] = make()
        made: Made = self.made[key]
        return made

    def is_left_out(self, node: str) -> bool:
        """Return whether a node is computed as a part of another one, so that its value never exists as a whole."""
        return False

    @property
    def lanes(self) -> int:
        """How many images a group holds."""
        return 1

    def float32(self, name: str) -> Array:
        """Return a constant as the kernels read it."""
        return packed(self.graph.constants[name])

    def parameters(self, site: NodeIO, first: int = 1, count: int = 2) -> tuple[Array | None, ...]:
        """Return ``count`` parameters from input ``first`` on; those left out are None."""
        names = site.inputs[first : first + count]
        return tuple(self.float32(v) for v in names) + (None,) * (count - len(names))


Rule = Callable[[Any, Any, NodeIO], None]
AnyRule = TypeVar("AnyRule", bound=Rule)


class LoweringRules:
    """One rule for each op: a function that emits its steps."""

    def __init__(self) -> None:
        self._by_op: Registry[type[Op], Rule] = Registry("rules")

    def __call__(self, *ops: type[Op]) -> Callable[[AnyRule], AnyRule]:
        """Return a decorator that registers a function as the rule of one or more ops."""
        return self._by_op.register(*ops)

    def share(self, others: LoweringRules, *ops: type[Op]) -> None:
        """Take the rules of some ops from another layout."""
        for op in ops:
            self._by_op.add(op, others._by_op[op])

    def apply(self, lowering: Lowering, op: Op, site: NodeIO) -> None:
        """Emit the steps of one op."""
        found = self._by_op.of_instance(op)
        if found is None:
            raise UnsupportedError(f"there is no kernel for {op.name}")
        found(lowering, op, site)

    def apply_all(self, lowering: Lowering) -> None:
        """Emit the steps of every node.

        Raises
        ------
        UnsupportedError
            If an op or a rank has no kernel; all such nodes are listed.
        """
        self.apply_each(lowering, lowering.graph.nodes, "no kernel for these nodes")

    def apply_each(self, lowering: Lowering, nodes: Iterable[Node], failure: str) -> None:
        """Emit the steps of some nodes; if some have no kernel raise `UnsupportedError` that lists them all."""
        problems = []
        for node in nodes:
            shapes = [lowering.shapes[v] for v in node.inputs]
            lowering.budget.ask_for_node(node, shapes, lowering.lanes, whole=not lowering.is_left_out(node.name))
            try:
                self.apply(lowering, node.op, NodeIO(node.name, node.inputs, node.name))
            except UnsupportedError as error:
                problems.append(f"{node.name} ({node.op.name}): {error}")
        if problems:
            raise UnsupportedError(f"{failure}:\n  " + "\n  ".join(problems))


def packed(array: Array) -> Array:
    """Return an array as float32, contiguous and read-only."""
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(array, dtype=np.float32)
    result.flags.writeable = False
    return result


def three_axes(shape: Shape) -> Triple:
    """Return a shape with axes of size 1 in front, so that there are three."""
    if len(shape) > 3:
        raise UnsupportedError(
            f"more than three axes: {shape}; elements of such values are moved, but not computed with: keep (C, H, W), "
            "as by joining along the channels what is stacked"
        )
    first, second, third = (1,) * (3 - len(shape)) + tuple(shape)
    return first, second, third


def strides_of(shape: Triple) -> Triple:
    """Return the strides of three contiguous axes."""
    return shape[1] * shape[2], shape[2], 1


def broadcast_strides(own: Triple, shape: Triple, whole: Triple) -> Triple:
    """Return the strides of an operand, 0 along the axes on which it is repeated."""
    a, b, c = (0 if shape[i] == 1 < whole[i] else own[i] for i in range(3))
    return a, b, c


def numbered(**groups: Triple) -> dict[str, int]:
    """Return ``a=(1, 2, 3)`` as ``a0=1, a1=2, a2=3``."""
    return {f"{name}{i}": value for name, triple in groups.items() for i, value in enumerate(triple)}


def around(shape: Shape, axis: int) -> Triple:
    """Return (product before, size, product behind) of an axis that counts from N = 0."""
    return math.prod(shape[: axis - 1]), shape[axis - 1], math.prod(shape[axis:])


def window_ints(op: Any, source: Shape, target: Shape) -> dict[str, int]:
    """Return the geometry of a pool, by the names of the kernels."""
    (c, h, w), (_, oh, ow) = source, target
    (kh, kw), (sh, sw), (dh, dw) = op.kernel, op.stride, op.dilation
    ints = dict(C=c, H=h, W=w, OH=oh, OW=ow, KH=kh, KW=kw, SH=sh, SW=sw, DH=dh, DW=dw)
    return ints | dict(PT=op.padding[0], PL=op.padding[1])


def affine_parameters(op: Any, site: NodeIO, constants: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return batch-norm as factor and shift of each channel."""
    statistics = [np.asarray(constants[v], np.float64) for v in site.inputs[1:]]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor, shift = op.factors(*statistics)
    return packed(factor), packed(shift)
