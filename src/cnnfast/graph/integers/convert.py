"""The pass from floats to integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.graph.fusion import Capabilities, Epilogue, Pooling, ResidualKind, epilogue_of
from cnnfast.graph.integers.builder import Builder
from cnnfast.graph.integers.flow import LAYERS, OF_TWO, POOLS, is_of_one, selects_bytes, worth_rounding
from cnnfast.graph.integers.tables import rescaling_table, table_of
from cnnfast.graph.integers.weights import integer_weights
from cnnfast.graph.ir import Graph, Node
from cnnfast.ops.base import Array
from cnnfast.ops.quantized import (
    DequantizeSums,
    Grid,
    IntegerConv2d,
    IntegerLinear,
    Lookup,
    QuantizedAdd,
    QuantizedAvgPool,
    QuantizedGlobalAvgPool,
    QuantizedMul,
    Requantize,
    RequantizeAdd,
)
from cnnfast.ops.quantized.pool import LARGEST_EXACT

BEHIND_LAYERS = Capabilities(ResidualKind.EARLIER, (ops.Relu, ops.Clip), pooling=Pooling.ANY)
BEHIND_OTHERS = Capabilities(activations=(ops.Relu, ops.Clip))

NOTHING_READS_BYTES = "no layer of integers reads its result"


@frozen
class IntegerGraph:
    """What `to_integers` returns.

    Attributes
    ----------
    graph : Graph
        Its inputs and outputs are those of the float graph, and float32.
    in_float : mapping of str to str
        The nodes that stay in float, and why.
    grids : mapping of str to Grid
        What the bytes of each value stand for, by the name of the value in the float graph.
    rounded : frozenset of str
        Those of the given grids on which something is rounded; others are only handed on.
    """

    graph: Graph
    in_float: Mapping[str, str]
    grids: Mapping[str, Grid]
    rounded: frozenset[str]


def to_integers(
    graph: Graph,
    grids: Mapping[str, Grid],
    in_float: Mapping[str, str] | None = None,
    scales: Mapping[str, Array] | None = None,
    *,
    round_all: bool = False,
    halves: Mapping[str, str] | None = None,
) -> IntegerGraph:
    """Return a graph that computes with bytes wherever a layer reads them, and with floats in between.

    Parameters
    ----------
    graph : Graph
        Of floats; what `optimize` makes of it with `FLOAT_PASSES`.
    grids : mapping of str to Grid
        What bytes are to stand for, for each value that may become bytes. A node without one stays in float.
    in_float : mapping of str to str, optional
        Nodes that are to stay in float, and why.
    scales : mapping of str to array, optional
        Those of the weights of some layers, by the name of the layer; others are found.
    round_all : bool
        Round each value that has a grid, as the file from which the grids are does; otherwise a residual add or an
        activation reads the sums unrounded.
    halves : mapping of str to str, optional
        To where average pools round halves, by name, where it is not to even; see `QuantizedAvgPool`. One that it
        does not allow to (a larger window, another scale) rounds to even.

    Examples
    --------
    >>> first, second = Node("fc", ops.Linear(), ("x", "w")), Node("z", ops.Linear(), ("y", "w"))
    >>> floats = Graph({"x": (2,)}, (first, Node("y", ops.Relu(), ("fc",)), second), {"w": np.eye(2)}, ("z",))
    >>> integers = to_integers(floats, {"x": Grid(0.01, 128), "y": Grid(0.01, 0)}).graph
    >>> [node.op.name for node in integers.nodes]
    ['quantize', 'integer_linear', 'requantize', 'integer_linear', 'dequantize_sums']
    """
    return _Converter(graph, grids, dict(in_float or {}), scales or {}, round_all, halves or {}).run()


class _Converter:
    """One run of the pass: a method for each kind of node, and `Builder` for the values that exist so far."""

    def __init__(
        self,
        graph: Graph,
        grids: Mapping[str, Grid],
        in_float: dict[str, str],
        scales: Mapping[str, Array],
        round_all: bool,
        halves: Mapping[str, str],
    ) -> None:
        self.graph, self.in_float, self.scales, self.halves = graph, in_float, scales, halves
        self.rounded = frozenset(grids) if round_all else frozenset[str]()
        self.worth = worth_rounding(graph, in_float) | self.rounded
        self.new = Builder(graph, {v: grids[self._meets(v)] for v in graph.shapes if self._meets(v) in grids})
        self.done: set[str] = set()

    def run(self) -> IntegerGraph:
        """Convert every node."""
        for node in self.graph.nodes:
            if node.name in self.done:
                continue
            try:
                if node.name not in self.in_float:
                    self._integers(node)
                    continue
            except GraphError as error:
                self.in_float[node.name] = str(error)
            self.new.in_float(node)
        rounded = frozenset(self._meets(value) for value in self.new.asked)
        return IntegerGraph(self.new.finished(), self.in_float, self.new.grids_of_bytes(), rounded)

    def _meets(self, value: str) -> str:
        """Return the value whose grid a value takes: that of the concat in which it ends, if nothing else reads it."""
        found, here = value, value
        if value in self.rounded:
            return value
        while (reader := self.graph.only_readers.get(here)) is not None and selects_bytes(reader.op):
            here = reader.name
            if here not in self.worth:
                break
            if isinstance(reader.op, ops.Concat):
                found = here
        return found

    def _integers(self, node: Node) -> None:
        """Emit a node on bytes, or raise `GraphError` that says why it stays in float."""
        if isinstance(node.op, LAYERS):
            self._layer(node)
        elif node.name not in self.worth:
            raise GraphError(NOTHING_READS_BYTES)
        elif isinstance(node.op, ops.Concat):
            self._concat(node)
        elif selects_bytes(node.op):
            self._move(node)
        elif isinstance(node.op, OF_TWO) and not any(v in self.graph.constants for v in node.inputs):
            self._of_two(node)
        elif isinstance(node.op, POOLS):
            self._mean(node)
        elif is_of_one(self.graph, node):
            self._of_one(node)
        else:
            raise GraphError(f"there is no {node.op.name} of bytes")

    def _layer(self, node: Node) -> None:
        epilogue = self._epilogue(node, BEHIND_LAYERS)
        if epilogue.pool is not None and not selects_bytes(epilogue.pool):
            epilogue = Epilogue(epilogue.residual, epilogue.activation, nodes=epilogue.nodes[:-1])
        last = (epilogue.nodes or (node,))[-1].name
        x, grid = self.new.as_bytes(node.inputs[0])
        weights = [self.graph.constants[v] for v in node.inputs[1:]]
        known = self.scales.get(node.name)
        integers = integer_weights(weights[0], weights[1] if weights[1:] else None, grid, name=node.name, scales=known)
        y = self.new.grid_for(last) if last in self.worth else None
        rounding = None if y is None else self._rounding(epilogue, y)
        if isinstance(rounding, Requantize | RequantizeAdd):
            rounding.multipliers(integers.unit)
        constants = [
            self.new.constant(f"{node.name}.{kind}", getattr(integers, kind)) for kind in ("weight", "bias", "unit")
        ]
        op = _integer_layer(node.op, grid.zero)
        sums = self.new.emit(f"{node.name}.sums", op, (x, *constants[:2]))
        if rounding is None or y is None:
            self.new.floats_are(node.name, DequantizeSums(), (sums, constants[2]))
            return
        residual = () if epilogue.residual is None else (self.new.as_bytes(epilogue.residual)[0],)
        reads = (sums, *residual, constants[2])
        if epilogue.pool is None:
            self.new.bytes_are(last, y, rounding, reads)
        else:
            before = self.new.emit(f"{last}.unpooled", rounding, reads)
            self.new.bytes_are(last, y, epilogue.pool, (before,))
        self.done.update(n.name for n in epilogue.nodes)

    def _epilogue(self, node: Node, can: Capabilities) -> Epilogue:
        """Return which of the nodes behind a node it fuses: none behind the first value that must be rounded."""
        taken = set(self.in_float)
        value: str | None = node.name
        while value is not None and value not in self.rounded:
            reader = self.graph.only_readers.get(value)
            value = None if reader is None else reader.name
        if value is not None and (reader := self.graph.only_readers.get(value)) is not None:
            taken.add(reader.name)
        return epilogue_of(self.graph, node, can, taken)

    def _rounding(self, epilogue: Epilogue, y: Grid) -> Requantize | RequantizeAdd:
        low, high = _limits(epilogue.activation, y)
        if epilogue.residual is None:
            return Requantize(y.scale, y.zero, low=low, high=high)
        _, r = self.new.as_bytes(epilogue.residual)
        return RequantizeAdd(y.scale, y.zero, r.scale, r.zero, low=low, high=high)

    def _of_two(self, node: Node) -> None:
        epilogue = self._epilogue(node, BEHIND_OTHERS)
        last = (epilogue.nodes or (node,))[-1].name
        (a, a_grid), (b, b_grid) = (self.new.as_bytes(v) for v in node.inputs)
        y = self.new.grid_for(last)
        kind = QuantizedAdd if isinstance(node.op, ops.Add) else QuantizedMul
        low, high = _limits(epilogue.activation, y)
        grids = (y.scale, y.zero, a_grid.scale, a_grid.zero, b_grid.scale, b_grid.zero)
        self.new.bytes_are(last, y, kind(*grids, low=low, high=high), (a, b))
        self.done.update(n.name for n in epilogue.nodes)

    def _mean(self, node: Node) -> None:
        x, grid = self.new.as_bytes(node.inputs[0])
        y = self.new.grid_for(node.name)
        grids = (y.scale, y.zero, grid.scale, grid.zero)
        if isinstance(node.op, ops.GlobalAvgPool):
            op: ops.Op = QuantizedGlobalAvgPool(*grids, node.op.keep_dims)
            op.shape(self.graph.shapes[node.inputs[0]])
        else:
            op = QuantizedAvgPool(*grids, **node.op.attributes(), halves=self._halves(node, grid == y))
        self.new.bytes_are(node.name, y, op, (x,))

    def _halves(self, node: Node, on_one_grid: bool) -> str:
        can = on_one_grid and math.prod(node.op.attributes()["kernel"]) <= LARGEST_EXACT
        return self.halves.get(node.name, "even") if can else "even"

    def _move(self, node: Node) -> None:
        x, grid = self.new.as_bytes(node.inputs[0])
        op = _with_byte(node.op, grid) if isinstance(node.op, ops.Pad) else node.op
        self.new.bytes_are(node.name, grid, op, (x,))

    def _concat(self, node: Node) -> None:
        y = self.new.grid_for(node.name)
        self.new.bytes_are(node.name, y, node.op, tuple(self._on(v, y) for v in node.inputs))

    def _on(self, value: str, y: Grid) -> str:
        """Return the bytes of a value on a given grid."""
        x, grid = self.new.as_bytes(value)
        if grid == y:
            return x
        table = self.new.constant(f"{x}.rescaled.table", rescaling_table(grid, y))
        return self.new.emit(f"{x}.rescaled", Lookup(y.scale, y.zero), (x, table))

    def _of_one(self, node: Node) -> None:
        """Emit a chain of functions of one element as one table."""
        (value,) = (v for v in node.inputs if v not in self.graph.constants)
        if not self.new.has_bytes(value) and value not in self.graph.inputs:
            raise GraphError("its input is computed in float")
        chain = [node]
        while (
            (reader := self.graph.only_readers.get(chain[-1].name)) is not None
            and reader.name not in self.in_float
            and reader.name in self.worth
            and chain[-1].name not in self.rounded
            and is_of_one(self.graph, reader)
        ):
            chain.append(reader)
        last = chain[-1].name
        x, grid = self.new.as_bytes(value)
        y = self.new.grid_for(last)
        table = self.new.constant(f"{last}.table", table_of(self.graph, chain, value, grid, y))
        self.new.bytes_are(last, y, Lookup(y.scale, y.zero), (x, table))
        self.done.update(n.name for n in chain)


def _integer_layer(op: ops.Op, zero: int) -> IntegerConv2d | IntegerLinear:
    if isinstance(op, ops.Conv2d):
        return IntegerConv2d(zero, op.stride, op.padding, op.dilation, op.groups)
    return IntegerLinear(zero)


def _with_byte(pad: ops.Pad, grid: Grid) -> ops.Pad:
    """Return a pad of bytes with what stands for the value of a pad of floats, or raise `GraphError` if none does."""
    if pad.mode != "constant":
        return pad
    byte = int(grid.nearest(np.array(pad.value)))
    if abs(float(grid.real(np.array(byte))) - pad.value) > grid.scale:
        raise GraphError(f"it puts {pad.value:g} around the image, which bytes from {grid.limits} cannot stand for")
    return replace(pad, value=float(byte))


def _limits(activation: ops.Activation | None, y: Grid) -> tuple[int, int]:
    """Return the bytes that an activation limits its result to."""
    if isinstance(activation, ops.Relu):
        return y.zero, 255
    if isinstance(activation, ops.Clip):
        low, high = (int(v) for v in y.nearest(np.array([activation.low, activation.high])))
        return low, high
    return 0, 255
