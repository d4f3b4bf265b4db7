"""The table that `Network.summary` prints."""

from __future__ import annotations

from cnnfast.graph import Graph


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
    return _aligned(rows)


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _aligned(rows: list[tuple[str, str, str, str, str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = []
    for row in rows:
        cells = [cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
