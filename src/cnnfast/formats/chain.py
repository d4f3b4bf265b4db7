"""A graph under construction in which every layer reads the one before it."""

from __future__ import annotations

from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Flatten, Op, Shape


class Chain:
    """Collects layers one after the other; `graph` returns the finished graph.

    Parameters
    ----------
    shape : Shape
        Of the input, one image.
    name : str
        Of the input.

    Examples
    --------
    >>> from cnnfast.ops import MaxPool
    >>> chain = Chain((3, 32, 32), "layer0")
    >>> chain.add("layer1", MaxPool(2))
    >>> chain.shape
    (3, 16, 16)
    """

    def __init__(self, shape: Shape, name: str) -> None:
        self.shape = shape
        self._inputs = {name: shape}
        self._last = name
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}

    def add(self, name: str, op: Op, **parameters: Array) -> None:
        """Append a layer; each parameter becomes the constant ``<layer>.<parameter>``.

        Raises
        ------
        GraphError
            If the layer does not fit the one before it.
        """
        constants = {f"{name}.{parameter}": array for parameter, array in parameters.items()}
        shape = op.shape(self.shape, *(array.shape for array in constants.values()))
        if min(shape) < 1:
            raise GraphError(f"{op.name} on {self.shape} leaves nothing: the shape would be {shape}")
        self.shape = shape
        self._constants.update(constants)
        self._nodes.append(Node(name, op, (self._last, *constants)))
        self._last = name

    def flatten(self, name: str) -> None:
        """Append a flatten unless the value is flat already."""
        if len(self.shape) > 1:
            self.add(name, Flatten())

    def graph(self) -> Graph:
        """Return the graph; its output is the last layer."""
        return Graph(self._inputs, tuple(self._nodes), self._constants, (self._last,))
