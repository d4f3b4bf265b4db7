"""Compute in advance what depends on no image."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.graph.interpreter import operand
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import float64, read_only, rebuilt
from cnnfast.ops import AvgPool, Conv2d, Fused, MaxPool
from cnnfast.ops.base import Array

BUDGET = 1 << 22
"""Elements that one run may read and write: a file of a few hundred bytes must not take gigabytes or minutes."""


SLIDING = (Conv2d, MaxPool, AvgPool, Fused)
"""Ops that slide a window, or may: with absurd padding their work is not bounded by what they read and write."""


def fold_constants(graph: Graph) -> Graph:
    """Replace nodes that read constants only by their result, in float64.

    An output stays a node, since an output that is a constant would be no one's result; and so do ops that slide a
    window over a constant, which no converter writes.
    """
    constants = dict(graph.constants)
    nodes: list[Node] = []
    budget, outputs = BUDGET, set(graph.outputs)
    for node in graph.nodes:
        work = math.prod(graph.shapes[node.name]) + sum(constants[v].size for v in node.inputs if v in constants)
        if work <= budget and node.name not in outputs and _can_fold(node, constants):
            constants[node.name] = _result(node, constants)
            budget -= work
        else:
            nodes.append(node)
    return graph if len(nodes) == len(graph.nodes) else rebuilt(graph, nodes, constants)


def _can_fold(node: Node, constants: dict[str, Array]) -> bool:
    if isinstance(node.op, SLIDING) or node.op.is_quantized:
        return False
    return all(value in constants for value in node.inputs)


def _result(node: Node, constants: dict[str, Array]) -> Array:
    weights = {value: float64(constants[value]) for value in node.inputs}
    with np.errstate(all="ignore"):
        (result,) = node.op.reference(*(operand(node, i, v, {}, weights) for i, v in enumerate(node.inputs)))
    return read_only(np.asarray(result))
