"""The graph: ops connected by values.

A value is named by the node that makes it. Values are graph inputs, results of nodes, or constants (weights and other
arrays). Nodes are in topological order. A graph is never changed: a pass builds a new one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape
from cnnfast.runtime.arguments import quoted

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

MAX_ELEMENTS = 1 << 31
"""The largest value of one image, in elements: far above any classifier, low enough to refuse nonsense."""


MAX_NODES = 20_000
"""The largest number of nodes of a graph, from any file; twenty times as many as the deepest classifiers have."""


@frozen
class Node:
    """One op and the values that it reads; its result carries the node's name."""

    name: str
    op: Op
    inputs: tuple[str, ...]


@frozen
class Graph:
    """An acyclic graph of nodes.

    Parameters
    ----------
    inputs : mapping of str to Shape
        The data inputs, by name; shapes are those of one image, without N.
    nodes : tuple of Node
        In any order; they are sorted topologically.
    constants : mapping of str to array
        Weights and other arrays that are the same for every image.
    outputs : tuple of str
        The values that the graph returns.

    Raises
    ------
    GraphError
        For a name used twice, an unknown value, a cycle, a wrong number of inputs, or shapes that do not fit.
    """

    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_names(self)
        object.__setattr__(self, "inputs", MappingProxyType(dict(self.inputs)))
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))
        object.__setattr__(self, "nodes", _sorted(self))
        self.shapes  # noqa: B018  (infers and so checks every shape)
        self.dtypes  # noqa: B018  (and every dtype)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every value, of one image."""
        shapes: dict[str, Shape] = dict(self.inputs)
        shapes.update({name: tuple(array.shape) for name, array in self.constants.items()})
        for node in self.nodes:
            shapes[node.name] = _shape_of(node, [shapes[v] for v in node.inputs])
        return MappingProxyType(shapes)

    @cached_property
    def dtypes(self) -> Mapping[str, str]:
        """The dtype of every input and of the result of every node: float32, uint8, or int32 for sums."""
        dtypes = dict.fromkeys(self.inputs, "float32")
        for node in self.nodes:
            dtypes[node.name] = _dtype_of(node, dtypes, self.constants)
        return MappingProxyType(dtypes)

    @property
    def is_quantized(self) -> bool:
        """Whether some node is an op on bytes."""
        return any(node.op.is_quantized for node in self.nodes)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return MappingProxyType({node.name: node for node in self.nodes})

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that read each value."""
        readers: dict[str, list[Node]] = {name: [] for name in self.shapes}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers[value].append(node)
        return MappingProxyType({name: tuple(nodes) for name, nodes in readers.items()})

    @cached_property
    def only_readers(self) -> Mapping[str, Node]:
        """The only reader of each value that is not an output and that a single node reads, once."""
        return MappingProxyType(
            {
                value: readers[0]
                for value, readers in self.consumers.items()
                if len(readers) == 1 and readers[0].inputs.count(value) == 1 and value not in self.outputs
            }
        )

    @cached_property
    def order(self) -> Mapping[str, int]:
        """The position of each node."""
        return MappingProxyType({node.name: index for index, node in enumerate(self.nodes)})

    def input_shapes(self, node: Node) -> list[Shape]:
        """Return the shapes of the values that a node reads."""
        return [self.shapes[v] for v in node.inputs]

    def cost(self, node: Node) -> Cost:
        """Return what a node costs for one image."""
        return node.op.cost(*self.input_shapes(node))

    def parameter_count(self, node: Node) -> int:
        """Return the number of trained numbers that a node reads."""
        return sum(self.constants[v].size for v in node.inputs if v in self.constants)

    def cut(self, outputs: Iterable[str]) -> Graph:
        """Return the part of the graph that computes the given values."""
        wanted = tuple(outputs)
        for name in wanted:
            if not isinstance(name, str) or name not in self.shapes:
                raise GraphError(f"there is no value {quoted(name)}; the nodes are: {', '.join(self.by_name)}")
        needed = set(wanted)
        kept = []
        for node in reversed(self.nodes):
            if node.name in needed:
                kept.append(node)
                needed.update(node.inputs)
        constants = {name: array for name, array in self.constants.items() if name in needed}
        return Graph(self.inputs, tuple(reversed(kept)), constants, wanted)


def _check_names(graph: Graph) -> None:
    if len(graph.nodes) > MAX_NODES:
        raise GraphError(f"a graph may have at most {MAX_NODES} nodes, but this one has {len(graph.nodes)}")
    seen: set[str] = set()
    for name in [*graph.inputs, *graph.constants, *(node.name for node in graph.nodes)]:
        if not isinstance(name, str) or not name:
            raise GraphError(f"a value must have a name, but one is called {name!r}")
        check_name_is_free(name, seen)
        seen.add(name)
    for node in graph.nodes:
        node_inputs = node.inputs
        for value in node_inputs:
            if value not in seen:
                raise GraphError(f"node {node.name!r} ({node.op.name}) reads {value!r}, which nothing provides")
        node.op.check_arity(len(node_inputs))
        for index, value in enumerate(node_inputs):
            if not node.op.is_data_input(index) and value not in graph.constants:
                raise GraphError(f"node {node.name!r} ({node.op.name}): its parameter {value!r} must be a constant")
    if not graph.outputs:
        raise GraphError("a graph must have an output")
    for value in graph.outputs:
        if value not in seen:
            raise GraphError(f"the output {value!r} is not a value of the graph")
    for name, shape in graph.inputs.items():
        if not shape or not all(isinstance(d, int) and 0 < d <= MAX_ELEMENTS for d in shape):
            raise GraphError(f"input {name!r} has the shape {tuple(shape)}; every size must be a positive integer")


def check_name_is_free(name: str, taken: Container[str]) -> None:
    """Raise `GraphError` if a value has that name already."""
    if name in taken:
        raise GraphError(f"two values are named {name!r}; every input, constant and node needs its own name")


def _sorted(graph: Graph) -> tuple[Node, ...]:
    """Sort nodes topologically, keeping the given order where it is one; a cycle is an error that names its nodes."""
    made_by_nodes = {node.name for node in graph.nodes}
    missing = [len(made_by_nodes & set(node.inputs)) for node in graph.nodes]
    readers: dict[str, list[int]] = {name: [] for name in made_by_nodes}
    for index, node in enumerate(graph.nodes):
        for value in made_by_nodes & set(node.inputs):
            readers[value].append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    order: list[Node] = []
    while ready:
        node = graph.nodes[heapq.heappop(ready)]
        order.append(node)
        for index in readers[node.name]:
            missing[index] -= 1
            if missing[index] == 0:
                heapq.heappush(ready, index)
    if len(order) < len(graph.nodes):
        placed = {node.name for node in order}
        stuck = [node.name for node in graph.nodes if node.name not in placed]
        raise GraphError(f"the graph has a cycle through: {', '.join(stuck[:8])}")
    return tuple(order)


def _shape_of(node: Node, inputs: list[Shape]) -> Shape:
    try:
        return result_shape(node.op, inputs)
    except GraphError as error:
        raise GraphError(f"node {node.name!r}: {error}") from None


def result_shape(op: Op, inputs: Sequence[Shape]) -> Shape:
    """Return the shape of what an op makes of inputs, or raise `GraphError` if it is empty or too large."""
    shape = op.shape(*inputs)
    if not shape or min(shape) < 1:
        raise GraphError(
            f"{op.name} leaves nothing: the shape would be {shape} for inputs {list(inputs)}; every size must be "
            "positive"
        )
    if math.prod(shape) > MAX_ELEMENTS:
        raise GraphError(
            f"{op.name} would have the shape {shape} for inputs {list(inputs)}; at most {MAX_ELEMENTS} elements are "
            "allowed"
        )
    return shape


def _dtype_of(node: Node, dtypes: Mapping[str, str], constants: Mapping[str, Array]) -> str:
    """Return the dtype of a result; ops on floats convert the constants that they read, whatever their dtype."""
    exact = node.op.is_quantized
    given = [dtypes.get(v) or (constants[v].dtype.name if exact else "float32") for v in node.inputs]
    try:
        return node.op.dtype(*given)
    except GraphError as error:
        raise GraphError(f"node {node.name!r}: {error}") from None


def constant(array: object, dtype: DTypeLike = np.float32) -> Array:
    """Return an array as a graph keeps its weights: contiguous, read-only, and a copy unless it was both already."""
    if isinstance(array, np.ndarray) and array.dtype == dtype and _is_frozen(array):
        return array
    kept = np.array(array, dtype=dtype, order="C")
    kept.flags.writeable = False
    return kept


def _is_frozen(array: Array) -> bool:
    return array.flags.c_contiguous and not array.flags.writeable
