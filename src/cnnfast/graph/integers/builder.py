"""The graph that grows while floats become integers: which values exist as bytes, as floats, or as both."""

from __future__ import annotations

from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph, Node, constant
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops import Op
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import Dequantize, Grid, Quantize


class Builder:
    """New nodes and constants, and for each value of the float graph what it became.

    Parameters
    ----------
    graph : Graph
        Of floats.
    grids : mapping of str to Grid
        What the bytes of a value stand for when they are made.
    """

    def __init__(self, graph: Graph, grids: dict[str, Grid]) -> None:
        self.graph, self._grids = graph, grids
        self.asked: set[str] = set()
        """The values of the float graph whose grids were asked for."""
        self.floats = {name: name for name in graph.inputs}
        """The values that exist as floats, by their names in the float graph."""
        self._bytes: dict[str, tuple[str, Grid]] = {}
        self._nodes: dict[str, Node] = {}
        self._constants: dict[str, Array] = {}
        self._kept: dict[str, str] = {}
        """The constants of the float graph that are still read, and their names."""

    def grid_for(self, value: str) -> Grid:
        """Return the grid on which a value is to be rounded, or raise `GraphError`."""
        if value not in self._grids:
            raise GraphError(f"the range of {value!r} is unknown")
        self.asked.add(value)
        return self._grids[value]

    def emit(self, name: str, op: Op, inputs: tuple[str, ...]) -> str:
        """Add a node without a counterpart in the float graph, and return its name."""
        return self._add(self._fresh(name), op, inputs)

    def _add(self, name: str, op: Op, inputs: tuple[str, ...]) -> str:
        self._nodes[name] = Node(name, op, inputs)
        return name

    def _fresh(self, wanted: str) -> str:
        return fresh_name(wanted, self._nodes, self._constants, self.graph.by_name, self.graph.inputs)

    def constant(self, name: str, array: Array) -> str:
        """Add a constant and return its name."""
        name = self._fresh(name)
        self._constants[name] = constant(array, array.dtype)
        return name

    def bytes_are(self, value: str, grid: Grid, op: Op, inputs: tuple[str, ...]) -> None:
        """Add the node that makes the bytes of a value; outputs of the graph keep their name for the floats."""
        name = self._fresh(f"{value}.bytes") if value in self.graph.outputs else value
        self._bytes[value] = (self._add(name, op, inputs), grid)

    def floats_are(self, value: str, op: Op, inputs: tuple[str, ...]) -> None:
        """Add the node that makes the floats of a value."""
        self.floats[value] = self._add(value, op, inputs)

    def has_bytes(self, value: str) -> bool:
        """Return whether a value exists as bytes already."""
        return value in self._bytes

    def as_bytes(self, value: str) -> tuple[str, Grid]:
        """Return the bytes of a value, rounded here if it exists as floats only."""
        if value not in self._bytes:
            if value in self.graph.constants:
                raise GraphError(f"it reads the constant {value!r}")
            grid = self.grid_for(value)
            name = self.emit(f"{value}.bytes", Quantize(grid.scale, grid.zero), (self.floats[value],))
            self._bytes[value] = (name, grid)
        return self._bytes[value]

    def as_float(self, value: str) -> str:
        """Return the floats of a value or constant."""
        if value in self.graph.constants:
            if value not in self._kept:
                self._kept[value] = self.constant(value, self.graph.constants[value])
            return self._kept[value]
        if value not in self.floats:
            name, grid = self._bytes[value]
            wanted = value if value in self.graph.outputs else self._fresh(f"{value}.float")
            self.floats[value] = self._add(wanted, Dequantize(grid.scale, grid.zero), (name,))
        return self.floats[value]

    def in_float(self, node: Node) -> None:
        """Add a node as it was."""
        self.floats_are(node.name, node.op, tuple(self.as_float(v) for v in node.inputs))

    def finished(self) -> Graph:
        """Return the graph."""
        for output in self.graph.outputs:
            self.as_float(output)
        nodes = tuple(self._nodes.values())
        return Graph(self.graph.inputs, nodes, self._constants, self.graph.outputs).cut(self.graph.outputs)

    def grids_of_bytes(self) -> dict[str, Grid]:
        """Return what the bytes of each value stand for."""
        return {value: grid for value, (_, grid) in self._bytes.items()}
