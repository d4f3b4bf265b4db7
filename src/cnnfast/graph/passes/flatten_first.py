"""Flatten floats before they are rounded to bytes, not afterwards."""

from __future__ import annotations

from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import fresh_name, rebuilt
from cnnfast.ops import Flatten, Reshape
from cnnfast.ops.quantized import Quantize


def flatten_first(graph: Graph) -> Graph:
    """Exchange each `Quantize` with the flatten that alone reads it.

    Four neighbors of a flat value share a word. An image of one channel fills a quarter of each word, and its bytes
    would be moved by the flatten.
    """
    rounded = {node.name: node for node in graph.nodes if _is_flattened(node, graph)}
    if not rounded:
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.inputs and node.inputs[0] in rounded:
            quantize = rounded[node.inputs[0]]
            flat = fresh_name(f"{quantize.name}.flat", graph.shapes)
            nodes += [Node(flat, node.op, quantize.inputs), Node(node.name, quantize.op, (flat,))]
        elif node.name not in rounded:
            nodes.append(node)
    return rebuilt(graph, nodes, graph.constants)


def _is_flattened(node: Node, graph: Graph) -> bool:
    """Return whether a node rounds what is left with a single axis; a reshape to more may have no kernel for floats."""
    reader = graph.only_readers.get(node.name)
    if reader is None or not isinstance(node.op, Quantize) or not isinstance(reader.op, Flatten | Reshape):
        return False
    return len(graph.shapes[reader.name]) == 1
