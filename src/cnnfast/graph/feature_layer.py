"""Where the features of a network are."""

from __future__ import annotations

from cnnfast.errors import GraphError
from cnnfast.graph.ir import Graph
from cnnfast.ops import Linear
from cnnfast.ops.quantized import IntegerLinear


def feature_layer(graph: Graph) -> str:
    """Return the value that the last dense layer reads: what a network knows about an image before it decides.

    Raises
    ------
    GraphError
        If there is no dense layer, or it reads the images themselves.
    """
    dense = [node for node in graph.nodes if isinstance(node.op, Linear | IntegerLinear)]
    if not dense or dense[-1].inputs[0] in graph.inputs:
        raise GraphError(
            f"this network has no layer before a last dense one; name a layer: {', '.join(graph.by_name) or '(none)'}"
        )
    return dense[-1].inputs[0]
