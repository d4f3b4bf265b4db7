"""Values of a graph for some images: all that calibration asks of the kernels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, evaluate
from cnnfast.ops import Array
from cnnfast.plan.plan import as_chw, make_plan
from cnnfast.runtime.threads import of_call

MOST_ENDS = 8
"""How many inputs and outputs a program takes."""

IMAGES_BY_REFERENCE = 32
"""How many images the reference computes at once; it makes a copy of each for each element of a window."""


class Values:
    """Computes some values of a graph with the kernels.

    Parameters
    ----------
    graph : Graph
    names : iterable of str
        Results of nodes.
    threads : int, optional
    """

    def __init__(self, graph: Graph, names: Iterable[str], threads: int | None = None) -> None:
        self._graph, self._threads = graph, of_call(threads)
        wanted = list(names)
        self._parts = [wanted[start : start + MOST_ENDS] for start in range(0, len(wanted), MOST_ENDS)]
        self._programs: list[Any] = [make_plan(graph.cut(part), passes=()).program for part in self._parts]

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the values, float32 (N, ...)."""
        images = [_as_images(inputs[name], shape) for name, shape in self._graph.inputs.items()]
        found: dict[str, Array] = {}
        for names, program in zip(self._parts, self._programs, strict=True):
            rows = [np.empty((len(images[0]), int(np.prod(self._graph.shapes[v]))), np.float32) for v in names]
            program.run(images, rows, self._threads)
            for name, row in zip(names, rows, strict=True):
                found[name] = row.reshape(len(row), *self._graph.shapes[name])
        return found


def _as_images(values: Array, shape: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(values, np.float32).reshape(len(values), *as_chw(shape))


def outputs_of(graph: Graph, images: Array, threads: int | None = None) -> Array:
    """Return the output of a graph for images (N, ...), by kernels if there are any for all of its ops.

    Ops on bytes have one result, so a network of integers that no kernel runs yet is computed by the reference.
    """
    ((name, _),), (output,) = graph.inputs.items(), graph.outputs
    try:
        plan = make_plan(graph)
    except UnsupportedError:
        parts = range(0, len(images), IMAGES_BY_REFERENCE)
        found = [evaluate(graph, {name: images[i : i + IMAGES_BY_REFERENCE]}, np.float32)[output] for i in parts]
        return np.concatenate(found)
    rows = np.empty((len(images), int(np.prod(graph.shapes[output]))), np.float32)
    plan.program.run([_as_images(images, graph.inputs[name])], [rows], of_call(threads))
    return rows.reshape(len(images), *graph.shapes[output])


def behind(graph: Graph, value: str) -> Graph | None:
    """Return the part of a graph that depends on a value, which becomes an input of it, as do others that it reads.

    None where that would be more inputs than a program takes.

    Examples
    --------
    >>> from cnnfast.graph import Node
    >>> from cnnfast.ops import Relu, Tanh
    >>> nodes = (Node("a", Relu(), ("x",)), Node("b", Tanh(), ("a",)))
    >>> dict(behind(Graph({"x": (2,)}, nodes, {}, ("b",)), "a").inputs)
    {'a': (2,)}
    """
    reached = {value}
    nodes = []
    for node in graph.nodes:
        if reached.intersection(node.inputs) and node.name != value:
            reached.add(node.name)
            nodes.append(node)
    inputs = dict.fromkeys([value, *_read_from_outside(nodes, reached, graph.constants)])
    if len(inputs) > MOST_ENDS:
        return None
    read = {v for node in nodes for v in node.inputs}
    constants = {name: array for name, array in graph.constants.items() if name in read}
    return Graph({name: graph.shapes[name] for name in inputs}, tuple(nodes), constants, graph.outputs)


def _read_from_outside(nodes: Iterable[Any], reached: Collection[str], constants: Collection[str]) -> list[str]:
    return [v for node in nodes for v in node.inputs if v not in reached and v not in constants]


class Detour:
    """What a graph makes of images if one of its values is replaced, all else being as it was.

    Parameters
    ----------
    graph : Graph
        With one input and one output.
    images : array (N, ...)
    threads : int, optional
    """

    def __init__(self, graph: Graph, images: Array, threads: int | None = None) -> None:
        self.graph, self.images, self._threads = graph, images, threads
        ((name, _),) = graph.inputs.items()
        self._input = {name: np.asarray(images, np.float32)}
        self.value = cache(self._value)
        self._behind = cache(self._planned)

    def _value(self, name: str) -> Array:
        if name in self._input:
            return self._input[name]
        return Values(self.graph, [name], self._threads)(self._input)[name]

    def _planned(self, value: str) -> tuple[Graph, Values] | None:
        part = behind(self.graph, value)
        return None if part is None else (part, Values(part, part.outputs, self._threads))

    @property
    def output(self) -> Array:
        """What it is without a detour."""
        return self.value(self.graph.outputs[0])

    def through(self, name: str, replaced: Array) -> Array | None:
        """Return the output where a value is replaced; None where too many others would have to be at hand."""
        if name == self.graph.outputs[0]:
            return replaced
        planned = self._behind(name)
        if planned is None:
            return None
        part, values = planned
        given = {v: replaced if v == name else self.value(v) for v in part.inputs}
        return values(given)[part.outputs[0]]
