"""Replace ops that spell out an activation by the activation, such as ``x * sigmoid(x)`` by SiLU.

There are many ways to write an activation, so functions are compared instead of forms: their values at points that
tell all activations apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import rebuilt
from cnnfast.ops import Binary, Clip, Gelu, HardSigmoid, HardSwish, Relu, Sigmoid, Silu, Tanh
from cnnfast.ops.activation import Activation
from cnnfast.ops.base import Array, Elementwise

KNOWN: tuple[Activation, ...] = (
    *(Silu(), Gelu(), Gelu("tanh"), HardSwish(), HardSigmoid(1 / 6, 0.5)),
    *(Relu(), Sigmoid(), Tanh()),
)

MAX_GROUP = 12
"""How many nodes may spell out one activation; the tanh form of GELU takes nine."""

_SMALL = np.array([0.0, 1e-3, 0.1, 0.37, 0.5, 0.81, 1.0, 1.7, 2.3, 2.9, 3.0, 3.1, 4.2, 5.6, 6.1, 8.3, 13.0, 30.0])
POINTS = np.concatenate([_SMALL, -_SMALL, [1e3, -1e3, 3e4, -3e4]])[None]
"""The points where functions are compared: where they bend, and far out."""

CLOSE = 1e-6
"""How far values may be apart: files hold the constants in float32."""


def recognize_activations(graph: Graph) -> Graph:
    """Replace every group of nodes that computes an activation of one value, element by element."""
    position = {node.name: index for index, node in enumerate(graph.nodes)}
    replaced: dict[str, Node] = {}
    gone: set[str] = set()
    equal: dict[str, bool] = {}
    for node in reversed(graph.nodes):
        if node.name in gone or not isinstance(node.op, Binary | Clip):
            continue
        for group, value in _groups(graph, node, position, equal):
            activation = _activation(graph, group, value)
            if activation is not None:
                replaced[node.name] = Node(node.name, activation, (value,))
                gone |= {member.name for member in group} - {node.name}
                break
    if not replaced:
        return graph
    nodes = (replaced.get(node.name, node) for node in graph.nodes if node.name not in gone)
    return rebuilt(graph, nodes, graph.constants)


def _groups(
    graph: Graph, last: Node, position: dict[str, int], equal: dict[str, bool]
) -> Iterator[tuple[list[Node], str]]:
    """Yield the groups of nodes that end in one and read a single value, the smallest first, with that value."""
    group: list[Node] = []
    reads: set[str] = {last.name}
    while len(group) < MAX_GROUP:
        latest = max(reads, key=lambda value: position.get(value, -1))
        node = graph.by_name.get(latest)
        if node is None or not _may_belong(graph, node, group, equal):
            return
        group.append(node)
        reads = (reads - {latest}) | {value for value in node.inputs if value not in graph.constants}
        if len(reads) == 1:
            yield group, next(iter(reads))


def _may_belong(graph: Graph, node: Node, group: list[Node], equal: dict[str, bool]) -> bool:
    """Return whether a node computes element by element, with equal numbers for all, and for the group alone."""
    if not isinstance(node.op, Elementwise | Binary) or node.op.parameters:
        return False
    # by name, because nodes are compared field by field
    members = {member.name for member in group}
    if group and (node.name in graph.outputs or any(r.name not in members for r in graph.consumers[node.name])):
        return False
    return all(
        _is_one_number(graph, value, equal)
        if value in graph.constants
        else graph.shapes[value] == graph.shapes[node.name]
        for value in node.inputs
    )


def _is_one_number(graph: Graph, value: str, equal: dict[str, bool]) -> bool:
    """Return whether all elements of a constant are equal; each constant is looked at once."""
    if value not in equal:
        equal[value] = bool(np.ptp(graph.constants[value]) == 0)
    return equal[value]


def _activation(graph: Graph, group: list[Node], value: str) -> Activation | None:
    """Return the activation that a group computes."""
    values: dict[str, Array] = {value: POINTS}
    with np.errstate(all="ignore"):
        for node in reversed(group):
            inputs = (
                values[v] if v in values else np.full((1, 1), graph.constants[v].reshape(-1)[0], np.float64)
                for v in node.inputs
            )
            values[node.name] = node.op.reference(*inputs)
        found = values[group[0].name]
        truths, allowed = _truths()
        close = (np.abs(found - truths) <= allowed).all(axis=1)
    return KNOWN[int(close.argmax())] if close.any() else None


@cache
def _truths() -> tuple[Array, Array]:
    """Return the values of all known activations at the points, and the tolerances for them: a row for each."""
    with np.errstate(all="ignore"):
        values = np.concatenate([activation.reference(POINTS) for activation in KNOWN])
    return values, CLOSE * np.maximum(1, np.abs(values))
