"""The end of a network, where features become classes: a new one in its place, and the mean over two views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast import ops
from cnnfast.architectures.weights import Weights
from cnnfast.errors import GraphError
from cnnfast.graph import Graph, Node, constant
from cnnfast.layers import Flatten, Layer, build_graph
from cnnfast.runtime.arguments import is_whole, listed, quoted


def feature_layer(graph: Graph) -> str:
    """Return the value that the last dense layer reads: what a network knows about an image before it decides.

    Raises
    ------
    GraphError
        If there is no dense layer, or it reads the images themselves.
    """
    dense = [node for node in graph.nodes if isinstance(node.op, ops.Linear)]
    if not dense or dense[-1].inputs[0] in graph.inputs:
        raise GraphError(
            f"this network has no layer before a last dense one; name a layer: {', '.join(graph.by_name) or '(none)'}"
        )
    return dense[-1].inputs[0]


MOST_OUTPUTS = 1 << 24
"""Of a dense layer in a new head: far above any that can be trained."""


def with_head(graph: Graph, classes: int, layers: Sequence[int | Layer], layer: str, seed: int) -> Graph:
    """Return the graph up to a layer, a flatten where that is a map, hidden layers, and a dense layer of ``classes``.

    Parameters
    ----------
    layers : sequence of int and Layer
        An int stands for a dense layer of so many outputs with fresh weights.

    Raises
    ------
    GraphError
        If there is no such layer, or something in the list is neither.
    """
    base = graph.cut([layer])
    shape = base.shapes[layer]
    weights, head = Weights(seed), [] if len(shape) == 1 else [Flatten(name="head.flatten")]
    features = int(np.prod(shape))
    for number, part in enumerate([*listed("layers", layers, GraphError), classes], 1):
        if is_whole(part) and 0 < part <= MOST_OUTPUTS:
            head.append(weights.linear(f"head.{number}", features, part))
            features = part
        elif isinstance(part, Layer):
            head.append(Layer(part.op, part.parameters, part.name or f"head.{number}"))
            (features,) = build_graph(head, shape).shapes[head[-1].name or ""]
        else:
            raise GraphError(
                f"a head is a list of numbers of outputs and of layers such as Relu(), but has {quoted(part)}; "
                "an example: layers=[64, Relu(), Dropout(0.5)]"
            )
    top = build_graph(head, shape)
    nodes = [Node(n.name, n.op, tuple(layer if v == "input" else v for v in n.inputs)) for n in top.nodes]
    return Graph(base.inputs, (*base.nodes, *nodes), {**base.constants, **top.constants}, top.outputs)


def mirrored(graph: Graph) -> Graph:
    """Return the graph that computes the scores of each image and of its mirror image, and goes on with their mean.

    A softmax or sigmoid at the end stays there.

    Raises
    ------
    GraphError
        If the input is no image, or there are several inputs or outputs.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(next(iter(graph.inputs.values()))) != 3:
        raise GraphError("only a network of one image, (C, H, W), and one output has a mirrored twin")
    ((image, (c, h, w)),), (output,) = graph.inputs.items(), graph.outputs
    last = graph.by_name.get(output)
    end = last if last is not None and isinstance(last.op, ops.Softmax | ops.Sigmoid) else None
    base = graph if end is None else graph.cut([end.inputs[0]])
    (scores,) = base.outputs
    turned = {name: f"mirror:{name}" for name in (image, *base.by_name)}
    nodes = [*base.nodes, Node(turned[image], ops.Slice((0, 0, w - 1), (c, h, w), (1, 1, -1)), (image,))]
    nodes += [Node(turned[n.name], n.op, tuple(turned.get(v, v) for v in n.inputs)) for n in base.nodes]
    nodes.append(Node("mirror:sum", ops.Add(), (scores, turned[scores])))
    nodes.append(Node("mirror:mean", ops.Mul(), ("mirror:sum", "mirror:half")))
    if end is not None:
        nodes.append(Node(end.name, end.op, ("mirror:mean",)))
    constants = {**base.constants, "mirror:half": constant(np.full((1,), 0.5))}
    return Graph(graph.inputs, tuple(nodes), constants, (nodes[-1].name,))
