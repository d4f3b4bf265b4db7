"""The table that `Network.summary` prints."""

from __future__ import annotations

from collections.abc import Sequence

from cnnfast.graph import Graph
from cnnfast.runtime.notebook import block, table
from cnnfast.runtime.tables import aligned


def summary_table(graph: Graph) -> str:
    """Return a table of the nodes of a graph: layer, op, output shape, parameters, multiply-adds."""
    lines = aligned(summary_rows(graph), left=range(3))
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def summary_html(graph: Graph, title: str, classes: Sequence[str] | None, license: str | None) -> str:
    """Return the same for a notebook, with the names of the classes; a long table is folded."""
    rows = summary_rows(graph)
    names = [] if classes is None else [f"classes: {', '.join(classes[:MOST_NAMES])}"]
    if classes is not None and len(classes) > MOST_NAMES:
        names = [f"{names[0]} and {len(classes) - MOST_NAMES:,} more"]
    lines = [f"{rows[-1][3]} parameters, {rows[-1][4]} multiply-adds per image", *names]
    lines += [] if license is None else [f"license: {license}"]
    is_long = len(graph.nodes) > MOST_OPEN
    folded = f"{len(graph.nodes)} layers" if is_long else ""
    return block(title, *lines, inside=table(rows, range(3), strong=(len(rows) - 1,)), folded=folded)


MOST_NAMES = 20
"""Classes that are named in a notebook."""

MOST_OPEN = 25
"""Layers that are listed in a notebook without a click."""


def summary_rows(graph: Graph) -> list[tuple[str, ...]]:
    """Return the cells of the table, the head first and the totals last."""
    rows: list[tuple[str, ...]] = [("layer", "op", "output", "parameters", "MACs")]
    for name, shape in graph.inputs.items():
        rows.append((name, "input", _sizes(shape), "", ""))
    parameters = macs = 0
    for node in graph.nodes:
        own, cost = graph.parameter_count(node), graph.cost(node).macs
        parameters, macs = parameters + own, macs + cost
        rows.append((node.name, node.op.name, _sizes(graph.shapes[node.name]), _count(own), _count(cost)))
    rows.append(("total", "", "", f"{parameters:,}", f"{macs:,}"))
    return rows


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
