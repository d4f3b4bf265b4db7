"""From a list of layers to a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, GraphBuilder
from cnnfast.layers.lazy import LazyLayer
from cnnfast.layers.structure import AnyLayer, Branches, Gate, Layer, Residual
from cnnfast.ops import Array, Op, Shape
from cnnfast.runtime.arguments import listed, quoted, shape_of


class _LayerGraph:
    """Adds layers to a graph, naming each after its op and its number.

    Attributes
    ----------
    graph : GraphBuilder
    fresh : set of str
        Names of the layers that had no weights, and have zeros.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.graph = GraphBuilder()
        self.fresh: set[str] = set()
        self._counts: dict[str, int] = {}
        self.graph.input("input", shape_of("input_shape", input_shape, GraphError))

    def chain(self, layers: Sequence[AnyLayer], value: str) -> str:
        """Add layers one after the other and return the last value."""
        for layer in listed("layers", layers, GraphError):
            value = self._add(layer, value)
        return value

    def _add(self, layer: AnyLayer, value: str) -> str:
        if isinstance(layer, Residual):
            return self._join(ops.Add(), layer.name, [self.chain(layer.body, value), self.chain(layer.shortcut, value)])
        if isinstance(layer, Gate):
            return self._join(ops.Mul(), layer.name, [value, self.chain(layer.body, value)])
        if isinstance(layer, Branches):
            chains = listed("branches", layer.branches, GraphError)
            return self._join(ops.Concat(), layer.name, [self.chain(chain, value) for chain in chains])
        if isinstance(layer, LazyLayer):
            op, parameters = layer.make(self.graph.shapes[value])
            name = self._append(op, layer.name, parameters, value)
            self.fresh.add(name)
            return name
        if isinstance(layer, Layer):
            return self._append(layer.op, layer.name, layer.parameters, value)
        raise GraphError(
            "a network is a list of layers such as Conv2d(...), Relu(), Residual([...]), but one of them is "
            f"{quoted(layer)}"
        )

    def _append(self, op: Op, name: str | None, parameters: Mapping[str, Array], value: str) -> str:
        name = self._name(op, name)
        # zeros that stand for weights take no memory, so they are kept as they are
        own = [self.graph.constant(f"{name}.{key}", array, as_is=True) for key, array in parameters.items()]
        return self._node(name, op, value, *own)

    def _join(self, op: Op, name: str | None, values: list[str]) -> str:
        return self._node(self._name(op, name), op, *values)

    def _node(self, name: str, op: Op, *inputs: str) -> str:
        with _of_node(name):
            return self.graph.add(name, op, *inputs)

    def _name(self, op: Op, given: object) -> str:
        if given is not None and not isinstance(given, str):
            raise GraphError(f"the name of a layer must be a str, but is {quoted(given)}")
        if given:
            return given
        self._counts[op.name] = self._counts.get(op.name, 0) + 1
        return f"{op.name}_{self._counts[op.name]}"


@contextmanager
def _of_node(name: str) -> Iterator[None]:
    """Name the layer in the errors about it."""
    try:
        yield
    except GraphError as error:
        raise GraphError(f"node {name!r}: {error}") from None


def build_graph(layers: Sequence[AnyLayer], input_shape: Shape) -> Graph:
    """Return the graph of a list of layers with weights.

    Raises
    ------
    GraphError
        If something in the list is not a layer or has no weights, or shapes do not fit.
    """
    graph, fresh = graph_without_weights(layers, input_shape)
    if fresh:
        raise GraphError(
            f"{min(fresh)!r} has sizes, but no weights; Network.build(layers, ...) makes them at random, and layers "
            "such as Conv2d(weight, bias) have theirs already"
        )
    return graph


def graph_without_weights(layers: Sequence[AnyLayer], input_shape: Shape) -> tuple[Graph, frozenset[str]]:
    """Return the graph of a list of layers, and the names of those that have zeros for weights.

    Raises
    ------
    GraphError
        If something in the list is not a layer, or shapes do not fit.

    Examples
    --------
    >>> from cnnfast.layers import Flatten, Linear, Relu
    >>> graph, fresh = graph_without_weights([Flatten(), Linear(10), Relu()], (1, 28, 28))
    >>> graph.shapes["linear_1.weight"], sorted(fresh)
    ((10, 784), ['linear_1'])
    """
    network = _LayerGraph(input_shape)
    output = network.chain(layers, "input")
    return network.graph.finish(output), frozenset(network.fresh)
