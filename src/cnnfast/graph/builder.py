"""A graph under construction: what readers of files, and lists of layers, add their nodes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from cnnfast.errors import GraphError
from cnnfast.graph.ir import MAX_NODES, Graph, Node, check_name_is_free, constant, result_shape
from cnnfast.ops.base import Array, Op, Shape

NONE: Mapping[str, Array] = MappingProxyType({})


class GraphBuilder:
    """Collects inputs, constants and nodes, and knows the shape of each as soon as it is added.

    Parameters
    ----------
    reserved : iterable of str
        Names that `fresh` leaves alone, for values that are added later.

    Attributes
    ----------
    shapes : dict of str to Shape
        The shape of every value so far, of one image.
    nodes : list of Node
        The nodes so far, in the order in which they were added.

    Examples
    --------
    >>> from cnnfast.ops import Linear, Relu
    >>> builder = GraphBuilder()
    >>> x = builder.input("image", (4,))
    >>> y = builder.add("fc", Linear(), x, parameters={"weight": np.zeros((2, 4))})
    >>> builder.shapes[y], builder.fresh("fc")
    ((2,), 'fc_2')
    >>> builder.finish(builder.add("relu", Relu(), y)).outputs
    ('relu',)
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.shapes: dict[str, Shape] = {}
        self.nodes: list[Node] = []
        self._inputs: dict[str, Shape] = {}
        self._constants: dict[str, Array] = {}
        self._reserved = set(reserved)
        self._numbers: dict[str, int] = {}

    @property
    def inputs(self) -> Mapping[str, Shape]:
        """The inputs so far."""
        return MappingProxyType(self._inputs)

    def fresh(self, wanted: str) -> str:
        """Return a name that no value has: the wanted one, or the same with a number."""
        name = wanted
        while name in self.shapes or name in self._reserved:
            # the next request for this name continues here: thousands of layers may share one
            self._numbers[wanted] = self._numbers.get(wanted, 1) + 1
            name = f"{wanted}_{self._numbers[wanted]}"
        return name

    def input(self, name: str, shape: Shape) -> str:
        """Add an input of the graph and return its name."""
        check_name_is_free(name, self.shapes)
        self._inputs[name] = self.shapes[name] = shape
        return name

    def constant(self, name: str, array: Array, as_is: bool = False) -> str:
        """Add an array that is the same for every image and return its name.

        float64 stays float64, and everything else becomes float32; ``as_is`` keeps even the memory of the array.
        """
        check_name_is_free(name, self.shapes)
        dtype = np.float64 if array.dtype == np.float64 else np.float32
        self._constants[name] = array if as_is else constant(array, dtype)
        self.shapes[name] = array.shape
        return name

    def add(self, name: str, op: Op, *inputs: str, parameters: Mapping[str, Array] = NONE) -> str:
        """Add a node that reads values and return its name.

        Parameters
        ----------
        name : str
            Of the node, and so of its result.
        op : Op
        *inputs : str
            The values that it reads first.
        parameters : mapping of str to array
            What it reads behind them; each becomes the constant ``<name>.<key>``.

        Raises
        ------
        GraphError
            If the name is taken, the op does not fit what it reads, or the graph would have too many nodes.
        """
        check_name_is_free(name, self.shapes)
        if len(self.nodes) >= MAX_NODES:
            raise GraphError(f"the graph would have more than {MAX_NODES} nodes")
        shapes = [self.shapes[value] for value in inputs] + [array.shape for array in parameters.values()]
        op.check_arity(len(shapes))
        shape = result_shape(op, shapes)
        own = [self.constant(self.fresh(f"{name}.{key}"), array) for key, array in parameters.items()]
        self.nodes.append(Node(name, op, (*inputs, *own)))
        self.shapes[name] = shape
        return name

    def suppose(self, name: str, shape: Shape) -> None:
        """Let nodes read a value that nothing makes, so that what is wrong with them shows: no graph comes of it."""
        self.shapes.setdefault(name, shape)

    def rename(self, index: int, name: str) -> str:
        """Give a node that nothing reads yet another name, which may be a reserved one, and return it."""
        check_name_is_free(name, self.shapes)
        old = self.nodes[index]
        self.nodes[index] = Node(name, old.op, old.inputs)
        self.shapes[name] = self.shapes.pop(old.name)
        return name

    def drop_since(self, count: int) -> None:
        """Take back every node that was added after the first ``count``."""
        for node in self.nodes[count:]:
            del self.shapes[node.name]
        del self.nodes[count:]

    def finish(self, *outputs: str) -> Graph:
        """Return the graph of what the outputs need."""
        return Graph(self._inputs, tuple(self.nodes), self._constants, outputs).cut(outputs)
