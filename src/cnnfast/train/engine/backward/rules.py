"""The list of backward rules, and what they share."""

from __future__ import annotations

from cnnfast.graph import Node
from cnnfast.plan.lowering import LoweringRules, NodeIO
from cnnfast.train.engine.lowering import TrainingLowering, grad

rule = LoweringRules()
"""The rules of all ops: each emits what passes the gradient of a node's result on to its inputs."""

LIVE = "live"
"""A value of one vector: 1 for each image, 0 for the lanes beyond the last one."""


def parts_of(low: TrainingLowering, site: NodeIO) -> tuple[Node, str, str]:
    """Return the node, its first input, and the gradient of its result."""
    node = low.graph.by_name[site.node]
    return node, node.inputs[0], grad(node.name)
