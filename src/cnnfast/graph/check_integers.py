"""What shapes and dtypes do not show about a graph of integers: whether its sums fit and its scales match."""

from __future__ import annotations

from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph
from cnnfast.ops.quantized import (
    DequantizeSums,
    IntegerConv2d,
    IntegerLinear,
    Requantize,
    RequantizeAdd,
    check_sums,
)

INTEGERS = ("int8", "int32", "uint8")


def check_integers(graph: Graph) -> None:
    """Raise `GraphError` if a sum could leave 32 bits, a multiplier is not a normal number, or floats read integers.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.graph import Node
    >>> from cnnfast.ops import Linear
    >>> check_integers(Graph({"x": (2,)}, (Node("y", Linear(), ("x", "w")),), {"w": np.eye(2, dtype=np.int8)}, ("y",)))
    Traceback (most recent call last):
    cnnfast.errors.GraphError: node 'y' (linear) reads the int8 constant 'w'; only ops on bytes read integers
    """
    for node in graph.nodes:
        constants = [graph.constants[v] for v in node.inputs if v in graph.constants]
        try:
            if isinstance(node.op, IntegerConv2d | IntegerLinear):
                check_sums(node.op.name, constants[0], constants[1], node.op.x_zero)
            elif isinstance(node.op, Requantize | RequantizeAdd):
                node.op.multipliers(constants[-1])
            elif isinstance(node.op, DequantizeSums):
                node.op.units(constants[-1])
        except GraphError as error:
            raise GraphError(f"node {node.name!r}: {error}") from None
        for value in node.inputs:
            if value in graph.constants and not node.op.is_quantized:
                dtype = graph.constants[value].dtype.name
                if dtype in INTEGERS:
                    raise GraphError(
                        f"node {node.name!r} ({node.op.name}) reads the {dtype} constant {value!r}; "
                        "only ops on bytes read integers"
                    )
