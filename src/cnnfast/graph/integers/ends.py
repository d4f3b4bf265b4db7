"""What bytes and sums inside of a graph stand for, and graphs that end there."""

from __future__ import annotations

from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.ops.quantized import Dequantize, DequantizeSums, Grid, Requantize, RequantizeAdd


def grid_of(graph: Graph, value: str) -> Grid:
    """Return what the bytes of a value stand for: the op that made them, behind ops that only move them, tells it.

    Raises
    ------
    GraphError
        If the value is not of bytes.
    """
    while (node := graph.by_name.get(value)) is not None and node.op.keeps_dtype:
        value = node.inputs[0]
    attributes = node.op.attributes() if node is not None and graph.dtypes[value] == "uint8" else {}
    if not {"scale", "zero"} <= attributes.keys():
        raise GraphError(f"the value {value!r} does not consist of bytes")
    return Grid(attributes["scale"], attributes["zero"])


def with_float_outputs(graph: Graph, whole: Graph | None = None) -> Graph:
    """Return the graph with a dequantize behind each output of bytes or sums.

    Parameters
    ----------
    graph : Graph
    whole : Graph, optional
        The graph that it is a part of, which holds the unit of the sums.

    Examples
    --------
    >>> from cnnfast.ops.quantized import Quantize
    >>> bytes_ = Graph({"x": (2,)}, (Node("q", Quantize(0.5, 3), ("x",)),), {}, ("q",))
    >>> [node.op for node in with_float_outputs(bytes_).nodes]
    [Quantize(scale=0.5, zero=3), Dequantize(scale=0.5, zero=3)]
    """
    nodes, constants, outputs = list(graph.nodes), dict(graph.constants), []
    for output in graph.outputs:
        dtype = graph.dtypes.get(output, "float32")
        name = output if dtype == "float32" else fresh_name(f"{output}.float", graph.shapes, constants)
        if dtype == "uint8":
            grid = grid_of(graph, output)
            nodes.append(Node(name, Dequantize(grid.scale, grid.zero), (output,)))
        elif dtype == "int32":
            unit = _unit_of(whole or graph, output)
            constants[unit] = (whole or graph).constants[unit]
            nodes.append(Node(name, DequantizeSums(), (output, unit)))
        outputs.append(name)
    return graph if tuple(outputs) == graph.outputs else Graph(graph.inputs, tuple(nodes), constants, tuple(outputs))


def _unit_of(graph: Graph, sums: str) -> str:
    """Return the constant that says what sums stand for: every node that reads them reads it, too."""
    for reader in graph.consumers[sums]:
        if isinstance(reader.op, Requantize | RequantizeAdd | DequantizeSums):
            return reader.inputs[-1]
    raise GraphError(f"nothing says what the sums {sums!r} stand for, because no node reads them")
