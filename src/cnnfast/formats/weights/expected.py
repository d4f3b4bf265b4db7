"""What a graph wants from a file of weights: the tensors by name, with their shapes."""

from __future__ import annotations

from collections.abc import Iterator

from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node
from cnnfast.ops import Conv2d, Flatten, Linear, Shape

NAMES = {
    "weight": ("weight", "kernel"),
    "slope": ("weight", "alpha"),
    "scale": ("weight", "gamma", "scale"),
    "shift": ("bias", "beta"),
    "mean": ("running_mean", "moving_mean", "mean"),
    "var": ("running_var", "moving_variance", "var"),
}
"""What files call the parameters of our ops; PyTorch first, then Keras, TensorFlow and Flax."""


@frozen
class Wanted:
    """One tensor that a graph wants.

    Attributes
    ----------
    constant : str
        Its name in the graph.
    layer : str
        The node that reads it.
    names : tuple of str
        What a file may call it, the usual name first.
    shape : Shape
        As the graph has it: (OC, C, KH, KW), (O, F), (C,).
    volume : Shape or None
        Of a dense layer behind a flatten: the (C, H, W) whose elements its columns stand for.
    """

    constant: str
    layer: str
    names: tuple[str, ...]
    shape: Shape
    volume: Shape | None = None

    @property
    def name(self) -> str:
        """What PyTorch calls it."""
        return self.names[0]


def wanted(graph: Graph) -> list[Wanted]:
    """Return the tensors that a graph wants, in the order of its nodes."""
    return [want for node in graph.nodes for want in _of_node(graph, node)]


def _of_node(graph: Graph, node: Node) -> Iterator[Wanted]:
    parameters = [name.removesuffix("?") for name in node.op.parameters]
    for parameter, constant in zip(parameters, node.inputs[len(node.op.data) :], strict=False):
        names = tuple(f"{node.name}.{name}" for name in NAMES.get(parameter, (parameter,)))
        volume = _volume(graph, node) if isinstance(node.op, Linear) and parameter == "weight" else None
        yield Wanted(constant, node.name, names, graph.shapes[constant], volume)


def _volume(graph: Graph, node: Node) -> Shape | None:
    """Return the image whose elements a dense layer reads in one row, if it does."""
    value = node.inputs[0]
    while (before := graph.by_name.get(value)) is not None:
        if isinstance(before.op, Flatten):
            shape = graph.shapes[before.inputs[0]]
            return shape if len(shape) == 3 else None
        if isinstance(before.op, Linear | Conv2d) or graph.shapes[before.inputs[0]] != graph.shapes[node.inputs[0]]:
            return None
        value = before.inputs[0]
    return None


def last_dense(graph: Graph) -> Wanted | None:
    """Return the bias of the last dense layer, which has as many elements as there are classes."""
    found = [want for want in wanted(graph) if want.constant in _biases(graph)]
    return found[-1] if found else None


def _biases(graph: Graph) -> set[str]:
    return {node.inputs[2] for node in graph.nodes if isinstance(node.op, Linear) and len(node.inputs) == 3}
