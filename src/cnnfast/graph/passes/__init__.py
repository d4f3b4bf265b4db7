"""Passes: pure functions graph -> graph that simplify it, and keep the names, shapes and values of its outputs.

A pass that finds nothing to do returns the same graph. The order matters: dead ends go first, because other passes ask
whether a value has a single reader; then nodes that do nothing, so that they separate no neighbors; fusion goes last,
because no other pass looks inside a `Fused` node. One pass may give an earlier one more to do, so all of them run until
none finds anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnfast.graph.ir import Graph
from cnnfast.graph.passes.drop_identities import drop_identities
from cnnfast.graph.passes.drop_unused import drop_unused
from cnnfast.graph.passes.flatten_first import flatten_first
from cnnfast.graph.passes.fold_batch_norm import fold_batch_norm
from cnnfast.graph.passes.fold_constants import fold_constants
from cnnfast.graph.passes.fold_pad import fold_pad
from cnnfast.graph.passes.fuse import fuse
from cnnfast.graph.passes.fuse_integers import fuse_integers
from cnnfast.graph.passes.push_transposes import push_transposes
from cnnfast.graph.passes.recognize_activations import recognize_activations

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    drop_unused,
    drop_identities,
    fold_constants,
    push_transposes,
    recognize_activations,
    fold_pad,
    fold_batch_norm,
    fuse,
    flatten_first,
    fuse_integers,
)

__all__ = [
    "PASSES",
    "Pass",
    "drop_identities",
    "drop_unused",
    "flatten_first",
    "fold_batch_norm",
    "fold_constants",
    "fold_pad",
    "fuse",
    "fuse_integers",
    "optimize",
    "push_transposes",
    "recognize_activations",
]


def optimize(graph: Graph, passes: Sequence[Pass] = PASSES) -> Graph:
    """Run the passes, by default all, until none finds anything to do."""
    before = None
    while graph is not before:
        before = graph
        for simplify in passes:
            graph = simplify(graph)
    return graph
