"""Drop what no output depends on."""

from __future__ import annotations

from cnnfast.graph.ir import Graph


def drop_unused(graph: Graph) -> Graph:
    """Drop the nodes and constants that no output depends on."""
    needed = graph.cut(graph.outputs)
    unchanged = len(needed.nodes) == len(graph.nodes) and len(needed.constants) == len(graph.constants)
    return graph if unchanged else needed
