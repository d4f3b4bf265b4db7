"""How calibration runs graphs: with the kernels, each weight packed once for all of them, and with a bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from cnnfast._bar import open_bar
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node, evaluate
from cnnfast.graph.passes import PASSES, Pass
from cnnfast.ops import Array
from cnnfast.plan.plan import as_chw, make_plan
from cnnfast.plan.step import SharedWeights
from cnnfast.runtime.threads import of_call

MOST_ENDS = 8
"""How many inputs and outputs a program takes."""

MOST_AXES = 3
"""How many axes an input of a program has at most."""

IMAGES_BY_REFERENCE = 32
"""How many images the reference computes at once; it makes a copy of each for each element of a window."""

Item = TypeVar("Item")
Function = Callable[[Mapping[str, Array]], list[Array]]


class Runs:
    """Runs the graphs of one calibration, many of which have the same weights.

    Parameters
    ----------
    threads : int, optional
    progress : bool, optional
        Whether a bar is shown; by default on a terminal.
    """

    def __init__(self, threads: int | None = None, progress: bool | None = None) -> None:
        self.threads = of_call(threads)
        self._progress = progress
        self._weights = SharedWeights()

    def function(self, graph: Graph, passes: Sequence[Pass] = (), keep: bool = True) -> Function:
        """Return what computes the outputs of a graph, float32 (N, ...), from its inputs.

        Kernels do, or the reference where there are none for an op, or there are more inputs or axes than they read.
        Packed weights are kept for other graphs that have them, unless they are said to be of this one only. Passes
        are left out unless asked for: what they save in a run they cost in planning, with a graph for each value.
        """
        if fits_a_program(graph):
            try:
                plan = make_plan(graph, passes=passes, weights=self._weights if keep else None)
                return partial(self._by_kernels, plan.program, graph)
            except UnsupportedError:
                pass
        return partial(_by_reference, graph)

    def output(self, graph: Graph, images: Array) -> Array:
        """Return the output of a graph for images (N, ...)."""
        (name,) = graph.inputs
        (rows,) = self.function(graph, PASSES)({name: images})
        return rows

    def _by_kernels(self, program: Any, graph: Graph, inputs: Mapping[str, Array]) -> list[Array]:
        images = [_as_images(inputs[name], shape) for name, shape in graph.inputs.items()]
        shapes = [graph.shapes[output] for output in graph.outputs]
        rows = [np.empty((len(images[0]), math.prod(shape)), np.float32) for shape in shapes]
        program.run(images, rows, self.threads)
        return [row.reshape(len(row), *shape) for row, shape in zip(rows, shapes, strict=True)]

    def counted(self, items: Sequence[Item], what: str) -> Iterator[Item]:
        """Yield items, with a bar that says how many of them are done."""
        bar = open_bar(len(items), 0, "", self._progress, desc=what, leave=False)
        try:
            for item in items:
                yield item
                if bar is not None:
                    bar.update(1)
        finally:
            if bar is not None:
                bar.close()


def _by_reference(graph: Graph, inputs: Mapping[str, Array]) -> list[Array]:
    (count,) = {len(inputs[name]) for name in graph.inputs}
    found: list[list[Array]] = [[] for _ in graph.outputs]
    for start in range(0, count, IMAGES_BY_REFERENCE):
        some = {name: inputs[name][start : start + IMAGES_BY_REFERENCE] for name in graph.inputs}
        values = evaluate(graph, some, np.float32)
        for rows, output in zip(found, graph.outputs, strict=True):
            rows.append(np.asarray(values[output], np.float32))
    return [np.concatenate(rows) for rows in found]


def _as_images(values: Array, shape: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(values, np.float32).reshape(len(values), *as_chw(shape))


class Values:
    """Computes some values of a graph: a few at a time, from those that were computed before where that is possible.

    Parameters
    ----------
    graph : Graph
    names : iterable of str
        Results of nodes.
    runs : Runs, optional
    """

    def __init__(self, graph: Graph, names: Iterable[str], runs: Runs | None = None) -> None:
        runs = runs or Runs()
        wanted = set(names)
        ordered = [node.name for node in graph.nodes if node.name in wanted]
        self._parts: list[tuple[Graph, Function]] = []
        for start in range(0, len(ordered), MOST_ENDS):
            some = ordered[start : start + MOST_ENDS]
            part = between(graph, ordered[:start], some)
            if not fits_a_program(part):
                part = graph.cut(some)
            self._parts.append((part, runs.function(part)))

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the values, float32 (N, ...)."""
        found: dict[str, Array] = {}
        for part, compute in self._parts:
            found |= zip(part.outputs, compute({**inputs, **found}), strict=True)
        return found


def fits_a_program(graph: Graph) -> bool:
    """Return whether the inputs of a graph are as few, and have as few axes, as those of a program."""
    return len(graph.inputs) <= MOST_ENDS and all(len(shape) <= MOST_AXES for shape in graph.inputs.values())


def between(graph: Graph, known: Iterable[str], wanted: Sequence[str]) -> Graph:
    """Return the part of a graph that computes values from others that are known, which become inputs of it.

    Examples
    --------
    >>> from cnnfast.ops import Relu, Tanh
    >>> graph = Graph({"x": (2,)}, (Node("a", Relu(), ("x",)), Node("b", Tanh(), ("a",))), {}, ("b",))
    >>> list(between(graph, ["a"], ["b"]).inputs), list(between(graph, [], ["b"]).inputs)
    (['a'], ['x'])
    """
    given = {*known, *graph.inputs}.difference(graph.constants)
    needed, nodes = set(wanted), []
    for node in reversed(graph.nodes):
        if node.name in needed and node.name not in given:
            nodes.append(node)
            needed.update(node.inputs)
    inputs = {v: graph.shapes[v] for v in graph.shapes if v in needed and v in given}
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    # what depends on constants alone is computed once for each image, too
    return Graph(inputs or graph.inputs, tuple(reversed(nodes)), constants, tuple(wanted))


def alone(graph: Graph, node: Node, constants: Mapping[str, Any] | None = None) -> Graph:
    """Return a graph of one node: what it reads is given, but for constants, which may be replaced."""
    given = {name: graph.constants[name] for name in node.inputs if name in graph.constants} | dict(constants or {})
    inputs = {v: graph.shapes[v] for v in node.inputs if v not in given}
    return Graph(inputs or graph.inputs, (node,), given, (node.name,))
