"""Drop the nodes that return what they read."""

from __future__ import annotations

from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import rebuilt
from cnnfast.ops import Dropout, Identity
from cnnfast.ops.reshape import moves_nothing


def drop_identities(graph: Graph) -> Graph:
    """Drop identity, dropout, and every reshape, transpose and pad that leaves its input as it was.

    An output keeps its name: the node in front takes it over. Where that is not possible, because the node in front is
    a graph input, a constant or an output itself, the identity stays.
    """
    outputs = set(graph.outputs)
    stands_for: dict[str, str] = {}
    output_name: dict[str, str] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(stands_for.get(value, value) for value in node.inputs)
        if _does_nothing(graph, node):
            source = inputs[0]
            if node.name not in outputs:
                stands_for[node.name] = source
                continue
            if source in graph.by_name and source not in outputs and source not in output_name:
                output_name[source] = node.name
                stands_for[node.name] = source
                continue
        kept.append(Node(node.name, node.op, inputs))
    if len(kept) == len(graph.nodes):
        return graph
    renamed = (
        Node(output_name.get(n.name, n.name), n.op, tuple(output_name.get(v, v) for v in n.inputs)) for n in kept
    )
    return rebuilt(graph, renamed, graph.constants)


def _does_nothing(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, Identity | Dropout):
        return True
    return moves_nothing(node.op, graph.shapes[node.inputs[0]], graph.shapes[node.name])
