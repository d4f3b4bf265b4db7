"""What a layer does to its result before it stores it: an activation, or for batch-norm a residual add and a ReLU."""

from __future__ import annotations

from collections.abc import Iterator

from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node
from cnnfast.ops import Add, BatchNorm, Conv2d, Linear, Relu, Sigmoid, Tanh
from cnnfast.train.engine.base import Engine

BY_RESULT = (Relu, Sigmoid, Tanh)
"""Activations whose derivative follows from their result; the others need what they were given."""


@frozen
class Epilogue:
    """The nodes that a layer fuses, in order, and the value that its residual add reads."""

    nodes: tuple[Node, ...]
    residual: str | None = None

    @property
    def result(self) -> str:
        """The value that the layer stores."""
        return self.nodes[-1].name

    @property
    def relu(self) -> bool:
        """Whether the last thing is a ReLU."""
        return isinstance(self.nodes[-1].op, Relu)


def epilogues(engine: Engine) -> dict[str, Epilogue]:
    """Return the epilogue of each layer that has one, by the layer's name."""
    graph = engine.graph
    found = {}
    for node in graph.nodes:
        epilogue = None
        if isinstance(node.op, Conv2d | Linear):
            reader = only_reader(graph, node)
            epilogue = Epilogue((reader,)) if reader is not None and isinstance(reader.op, BY_RESULT) else None
        elif isinstance(node.op, BatchNorm) and engine.trains_statistics(node.name):
            epilogue = _of_norm(graph, node)
        if epilogue is not None:
            found[node.name] = epilogue
    return found


def only_reader(graph: Graph, node: Node) -> Node | None:
    """Return the only node that reads a result, once; or None."""
    readers = graph.consumers[node.name]
    alone = len(readers) == 1 and readers[0].inputs.count(node.name) == 1 and node.name not in graph.outputs
    return readers[0] if alone else None


def _of_norm(graph: Graph, node: Node) -> Epilogue | None:
    nodes = tuple(_tail(graph, node))
    if not nodes:
        return None
    residual = None
    if isinstance(nodes[0].op, Add):
        (residual,) = (v for v in nodes[0].inputs if v != node.name)
    return Epilogue(nodes, residual)


def _tail(graph: Graph, node: Node) -> Iterator[Node]:
    reader = only_reader(graph, node)
    if reader is not None and isinstance(reader.op, Add) and _is_residual(graph, reader, node):
        yield reader
        reader = only_reader(graph, reader)
    if reader is not None and isinstance(reader.op, Relu):
        yield reader


def _is_residual(graph: Graph, add: Node, node: Node) -> bool:
    """Tell whether the other operand of an add is computed before a node, and of its shape."""
    (other,) = (v for v in add.inputs if v != node.name)
    if other in graph.constants or graph.shapes[other] != graph.shapes[node.name]:
        return False
    order = [n.name for n in graph.nodes]
    return other in graph.inputs or order.index(other) < order.index(node.name)
