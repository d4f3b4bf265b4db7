"""Names that a model file can hold: other formats allow any text of any length, and such a network is saved too."""

from __future__ import annotations

from collections.abc import Iterable

from cnnfast.formats.remembered import FEATURES, NUMBERS
from cnnfast.formats.tensors import MAX_NAME, METADATA, is_name
from cnnfast.graph import Graph, Node

KEPT = MAX_NAME - 32
"""Of a name that is too long, that many characters stay; a number may follow."""


def with_plain_names(graph: Graph) -> Graph:
    """Return a graph whose names can be saved: what cannot be printed is written out, what is too long is cut.

    A graph whose names all can be is returned as it is.

    Examples
    --------
    >>> from cnnfast.ops import Relu
    >>> graph = Graph({"x": (1,)}, (Node("a\\tb", Relu(), ("x",)),), {}, ("a\\tb",))
    >>> with_plain_names(graph).outputs
    ('a\\\\tb',)
    """
    names = [*graph.inputs, *graph.constants, *(node.name for node in graph.nodes)]
    renamed = plain_names(names)
    if not renamed:
        return graph

    def of(values: Iterable[str]) -> tuple[str, ...]:
        return tuple(renamed.get(name, name) for name in values)

    return Graph(
        dict(zip(of(graph.inputs), graph.inputs.values(), strict=True)),
        tuple(Node(renamed.get(node.name, node.name), node.op, of(node.inputs)) for node in graph.nodes),
        dict(zip(of(graph.constants), graph.constants.values(), strict=True)),
        of(graph.outputs),
    )


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return another name for each that a model file cannot hold; none is given twice.

    Examples
    --------
    >>> plain_names(["a", "b\\n", "b\\\\n"])
    {'b\\n': 'b\\\\n.1'}
    """
    names = list(names)
    taken = {name for name in names if _fits(name)}
    renamed: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name in names:
        if name in taken or name in renamed:
            continue
        plain = _written_out(name)
        free = plain
        while free in taken or not _fits(free):
            numbers[plain] = numbers.get(plain, 0) + 1
            free = f"{plain}.{numbers[plain]}"
        renamed[name] = free
        taken.add(free)
    return renamed


def _fits(name: str) -> bool:
    return is_name(name) and name not in (METADATA, FEATURES, NUMBERS)


def _written_out(name: str) -> str:
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:MAX_NAME])
    return escaped if len(escaped) == len(name) <= MAX_NAME else escaped[:KEPT] or "value"
