"""Passes: pure functions graph -> graph that leave the outputs' names, shapes and values and make the rest less.

A pass that finds nothing to do returns the graph it was given. The order matters: what does nothing goes first, so that
it hides no neighbour; dead ends go before the passes that ask whether a value has a single reader; fusion goes last,
because no other pass looks inside a `Fused` node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnfast.graph.ir import Graph
from cnnfast.graph.passes.drop_identities import drop_identities
from cnnfast.graph.passes.drop_unused import drop_unused
from cnnfast.graph.passes.fold_batch_norm import fold_batch_norm
from cnnfast.graph.passes.fold_constants import fold_constants
from cnnfast.graph.passes.fold_pad import fold_pad
from cnnfast.graph.passes.fuse import fuse
from cnnfast.graph.passes.push_transposes import push_transposes

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    drop_identities,
    fold_constants,
    push_transposes,
    fold_pad,
    drop_unused,
    fold_batch_norm,
    fuse,
)

__all__ = [
    "PASSES",
    "Pass",
    "drop_identities",
    "drop_unused",
    "fold_batch_norm",
    "fold_constants",
    "fold_pad",
    "fuse",
    "optimise",
    "push_transposes",
]


def optimise(graph: Graph, passes: Sequence[Pass] = PASSES) -> Graph:
    """Run the passes, by default all; the result computes the same outputs, and running it again changes nothing."""
    for simplify in passes:
        graph = simplify(graph)
    return graph
