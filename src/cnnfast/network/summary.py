"""The table that `Network.summary` prints."""

from __future__ import annotations

from cnnfast.graph import Graph
from cnnfast.runtime.tables import aligned


def summary_table(graph: Graph) -> str:
    """Return a table of the nodes of a graph: layer, op, output shape, parameters, multiply-adds."""
    rows = [("layer", "op", "output", "parameters", "MACs")]
    for name, shape in graph.inputs.items():
        rows.append((name, "input", _sizes(shape), "", ""))
    parameters = macs = 0
    for node in graph.nodes:
        own, cost = graph.parameter_count(node), graph.cost(node).macs
        parameters, macs = parameters + own, macs + cost
        rows.append((node.name, node.op.name, _sizes(graph.shapes[node.name]), _count(own), _count(cost)))
    rows.append(("total", "", "", f"{parameters:,}", f"{macs:,}"))
    lines = aligned(rows, left=range(3))
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
