"""What a graph makes of images if one of its values is replaced."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.quantization.runs import Function, Runs, Values, between, fits_a_program


def behind(graph: Graph, value: str) -> Graph | None:
    """Return the part of a graph that depends on a value, which becomes an input of it, as do others that it reads.

    None where a program would not take these inputs.

    Examples
    --------
    >>> from cnnfast.graph import Node
    >>> from cnnfast.ops import Relu, Tanh
    >>> nodes = (Node("a", Relu(), ("x",)), Node("b", Tanh(), ("a",)))
    >>> dict(behind(Graph({"x": (2,)}, nodes, {}, ("b",)), "a").inputs)
    {'a': (2,)}
    """
    reached = {value}
    for node in graph.nodes:
        if reached.intersection(node.inputs):
            reached.add(node.name)
    part = between(graph, [v for v in graph.shapes if v not in reached or v == value], graph.outputs)
    return part if fits_a_program(part) else None


class Detour:
    """What a graph makes of images if one of its values is replaced, all else being as it was.

    Parameters
    ----------
    graph : Graph
        With one input and one output.
    images : array (N, ...)
    runs : Runs, optional
    """

    def __init__(self, graph: Graph, images: Array, runs: Runs | None = None) -> None:
        self.graph, self.images, self.runs = graph, np.asarray(images, np.float32), runs or Runs()
        ((self._input, _),) = graph.inputs.items()
        self._values = {self._input: self.images}
        self._behind = cache(self._planned)

    def value(self, name: str) -> Array:
        """Return a value; each is computed once."""
        self.compute([name])
        return self._values[name]

    def compute(self, names: Iterable[str]) -> None:
        """Compute values that will be asked for: together that is faster than one by one."""
        missing = [name for name in names if name not in self._values]
        if missing:
            self._values |= Values(self.graph, missing, self.runs)({self._input: self.images})

    def _planned(self, value: str) -> tuple[Graph, Function] | None:
        part = behind(self.graph, value)
        return None if part is None else (part, self.runs.function(part))

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
        part, compute = planned
        (output,) = compute({v: replaced if v == name else self.value(v) for v in part.inputs})
        return output
