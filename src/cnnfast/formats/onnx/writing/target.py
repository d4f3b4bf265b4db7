"""The graph of an ONNX file under construction, and a node of ours as the rules see it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from cnnfast._frozen import frozen
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Op, Shape

BATCH = "N"
"""What the number of images is called in the file."""


class WriteTarget:
    """Operators and tensors of a file, in order, under names that are used once.

    Parameters
    ----------
    reserved : collection of str
        Names of the network, which nothing else may have.
    """

    def __init__(self, reserved: Collection[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}
        self._taken = set(reserved)

    def fresh(self, wanted: str) -> str:
        """Return a name that nothing has yet, as near as possible to one."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def tensor(self, name: str, array: Array) -> str:
        """Add a tensor, unless it is there already."""
        if name not in self.tensors:
            self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name


@frozen
class WriteCall:
    """A node that is written.

    Attributes
    ----------
    node : Node
    graph : Graph
        That it is part of.
    target : WriteTarget
    """

    node: Node
    graph: Graph
    target: WriteTarget

    @property
    def op(self) -> Any:
        """The op; each rule knows its class."""
        op: Op = self.node.op
        return op

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of the inputs, of one image."""
        return [self.graph.shapes[name] for name in self.node.inputs]

    @property
    def result_shape(self) -> Shape:
        """The shape of the result, of one image."""
        return self.graph.shapes[self.node.name]

    @property
    def rank(self) -> int:
        """How many axes the first input has, of one image."""
        return len(self.shapes[0])

    def is_constant(self, index: int) -> bool:
        """Return whether an input is a constant, which has no axis of images."""
        return self.node.inputs[index] in self.graph.constants

    def has(self, index: int) -> bool:
        """Return whether an optional input is there."""
        return index < len(self.node.inputs)

    def constant(self, index: int) -> Array:
        """Return a constant input: floats as float32, integers as they are."""
        array = self.graph.constants[self.node.inputs[index]]
        return array.astype(np.float32) if array.dtype == np.float64 else array

    def input(self, index: int) -> str:
        """Return the name of an input in the file."""
        name = self.node.inputs[index]
        return self.target.tensor(name, self.constant(index)) if self.is_constant(index) else name

    @property
    def inputs(self) -> list[str]:
        """The names of all inputs in the file."""
        return [self.input(index) for index in range(len(self.node.inputs))]

    def is_bytes(self, index: int) -> bool:
        """Return whether an input is of uint8."""
        return self.graph.dtypes.get(self.node.inputs[index], "float32") == "uint8"

    def grid_of(self, index: int) -> list[str]:
        """Add scale and zero point of an input that is bytes, and return their names."""
        return self.grid(*grid_of(self.graph, self.node.inputs[index]))

    def grid(self, scale: float, zero: int) -> list[str]:
        """Add a scale and a zero point, and return their names."""
        return [self.add("scale", scale), self.add("zero", zero, np.uint8)]

    def add(self, what: str, array: object, dtype: Any = np.float32) -> str:
        """Add a tensor of this node, and return its name."""
        return self.target.tensor(self.target.fresh(f"{self.node.name}/{what}"), np.asarray(array, dtype))

    def whole(self, what: str, numbers: object) -> str:
        """Add integers of this node, such as a shape."""
        return self.add(what, numbers, np.int64)

    def emit(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator whose result only this node reads."""
        return self._operator(kind, inputs, self.target.fresh(f"{self.node.name}/{kind}"), attributes)

    def finish(self, kind: str, *inputs: str, **attributes: Any) -> None:
        """Add the operator that makes the result of this node."""
        self._operator(kind, inputs, self.node.name, attributes)

    def _operator(self, kind: str, inputs: tuple[str, ...], result: str, attributes: dict[str, Any]) -> str:
        self.target.nodes.append(helper.make_node(kind, list(inputs), [result], name=result, **attributes))
        return result


def grid_of(graph: Graph, name: str) -> tuple[float, int]:
    """Return what the bytes of a value stand for: scale and zero point of the op that rounded them."""
    op: Any = graph.by_name[name].op
    while not op.is_quantized:
        # what only moves bytes keeps what they stand for
        name = graph.by_name[name].inputs[0]
        op = graph.by_name[name].op
    return op.scale, op.zero
