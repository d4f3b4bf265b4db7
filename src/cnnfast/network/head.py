"""A new end for a network: hidden layers and a dense layer, untrained."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from cnnfast import ops
from cnnfast.architectures.initial import initialize
from cnnfast.architectures.weights import LayerMaker
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node
from cnnfast.graph.integers import with_float_outputs
from cnnfast.layers import AnyLayer, Flatten, Layer, graph_without_weights
from cnnfast.layers.lazy import LazyLayer
from cnnfast.ops import Shape
from cnnfast.runtime.arguments import is_whole, listed, quoted

MAX_OUTPUTS = 1 << 24
"""The most outputs of a dense layer in a new head: far above any that can be trained."""


def with_head(graph: Graph, classes: int, layers: Sequence[int | Layer | LazyLayer], layer: str, seed: int) -> Graph:
    """Return the graph up to a layer with hidden layers and a dense layer of ``classes``; see `Network.with_head`.

    Raises
    ------
    GraphError
        If there is no such layer, or something in the list is neither a number nor a layer.
    """
    base = with_float_outputs(graph.cut([layer]), graph)
    (layer,) = base.outputs
    head = _head([*listed("layers", layers, GraphError), classes], base.shapes[layer], seed)
    top, without_weights = graph_without_weights(head, base.shapes[layer])
    top = initialize(top, seed, only=without_weights)
    nodes = [Node(n.name, n.op, tuple(layer if v == "input" else v for v in n.inputs)) for n in top.nodes]
    return Graph(base.inputs, (*base.nodes, *nodes), {**base.constants, **top.constants}, top.outputs)


def _head(parts: Sequence[int | Layer | LazyLayer], shape: Shape, seed: int) -> list[AnyLayer]:
    """Return the layers of a head, each with a name: numbers become dense layers, with a flatten before the first."""
    weights, head = LayerMaker(seed), list[AnyLayer]()
    value = shape
    for number, part in enumerate(parts, 1):
        if len(value) > 1 and _is_dense(part):
            head.append(Flatten(name="head.flatten" if len(value) == len(shape) else f"head.{number}.flatten"))
            value = (math.prod(value),)
        if isinstance(part, Layer | LazyLayer):
            head.append(dataclasses.replace(part, name=part.name or f"head.{number}"))
        elif is_whole(part) and 0 < part <= MAX_OUTPUTS:
            head.append(weights.linear(f"head.{number}", value[0], part))
        else:
            raise GraphError(
                f"a head is a list of numbers of outputs and of layers such as Relu(), but has {quoted(part)}; "
                "an example: layers=[64, Relu(), Dropout(0.5)]"
            )
        (output,) = (graph := graph_without_weights(head, shape)[0]).outputs
        value = graph.shapes[output]
    return head


def _is_dense(part: object) -> bool:
    if isinstance(part, LazyLayer):
        return part.kind is ops.Linear
    return is_whole(part) or (isinstance(part, Layer) and isinstance(part.op, ops.Linear))
