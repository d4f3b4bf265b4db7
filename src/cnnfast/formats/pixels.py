"""How bytes become the input of a network whose file does not say so in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.errors import ConfigError
from cnnfast.graph import Graph, Node
from cnnfast.graph.passes.affine import Affine, affine_of
from cnnfast.ops import Add, Div, Mul, Sub

if TYPE_CHECKING:
    from cnnfast.preprocess import Preprocess

MODES: dict[str, dict[str, Any]] = {
    "raw": dict(scale=1.0),
    "tf": dict(scale=1 / 127.5, mean=(1.0,)),
    "torch": dict(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": dict(scale=1.0, channels="bgr", mean=(103.939, 116.779, 123.68)),
}
"""What ``preprocess_input`` of keras.applications does, by its own names; raw is bytes as they are."""


def check_preprocess(preprocess: Preprocess | str | None) -> None:
    """Raise `ConfigError` unless it is a rule or the name of one of `MODES`."""
    from cnnfast.preprocess import Preprocess

    if not (preprocess is None or isinstance(preprocess, Preprocess) or preprocess in MODES):
        raise ConfigError(f"preprocess must be a Preprocess or one of {', '.join(MODES)}, but is {preprocess!r:.80}")


def with_pixels(
    graph: Graph, preprocess: Preprocess | str | None, factor: float = 1.0, offset: float = 0.0
) -> tuple[Graph, Preprocess | None]:
    """Return the graph and the rule that makes its input of bytes.

    Parameters
    ----------
    graph : Graph
        As the file has it.
    preprocess : Preprocess or str or None
        A rule or the name of one of `MODES` leaves the graph as it is. By default bytes mean what they would mean to
        the network itself; arithmetic at its start, one factor and one summand for each channel, then moves out of the
        graph into the rule.
    factor, offset : float
        What a byte means to the input: ``byte * factor + offset``.

    Raises
    ------
    ConfigError
        For a mode that does not fit the channels.
    """
    from cnnfast.preprocess import Preprocess

    if isinstance(preprocess, Preprocess):
        return graph, preprocess
    (shape,) = graph.inputs.values()
    if len(shape) != 3 or shape[0] not in (1, 3):
        if preprocess is not None:
            raise ConfigError(f"preprocess={preprocess!r} needs an input of 1 or 3 channels, but it is {shape}")
        return graph, None
    rule = Preprocess(size=(shape[1], shape[2]), channels="grey" if shape[0] == 1 else "rgb", scale=1.0)
    if preprocess is not None:
        mode = MODES[preprocess]
        if shape[0] == 1 and preprocess in ("torch", "caffe"):
            raise ConfigError(f"preprocess={preprocess!r} needs an input of 3 channels, but it is {shape}")
        return graph, Preprocess(size=(shape[1], shape[2]), **({"channels": rule.channels} | mode))
    given = Affine(np.full(shape[0], factor), np.full(shape[0], offset))
    rest, affine = without_leading_affine(graph)
    fitted = _fitted(rule, given.then(affine))
    return (graph, _fitted(rule, given)) if fitted is None else (rest, fitted)


def without_leading_affine(graph: Graph) -> tuple[Graph, Affine]:
    """Return the graph without the sums and products with constants at its start, and these as one."""
    (name,) = graph.inputs
    shape = graph.inputs[name]
    whole, first = Affine.identity(shape[0]), name
    dropped: list[str] = []
    while len(readers := graph.consumers[first]) == 1 and first not in graph.outputs:
        (node,) = readers
        affine = affine_of(graph, node, first) if isinstance(node.op, Add | Sub | Mul | Div) else None
        if affine is None or node.name in graph.outputs or graph.shapes[node.name] != shape:
            break
        whole, first = whole.then(affine), node.name
        dropped.append(node.name)
    if not dropped:
        return graph, whole
    nodes = [
        Node(node.name, node.op, tuple(name if value == first else value for value in node.inputs))
        for node in graph.nodes
        if node.name not in dropped
    ]
    rest = Graph(graph.inputs, tuple(nodes), graph.constants, graph.outputs).cut(graph.outputs)
    return rest, whole


def _fitted(rule: Preprocess, affine: Affine) -> Preprocess | None:
    """Return the rule with an affine map as its own, or None where it cannot hold it."""
    from dataclasses import replace

    factor, offset = np.broadcast_to(affine.factor, affine.offset.shape), affine.offset
    try:
        if (factor == factor[0]).all():
            return replace(rule, scale=float(factor[0]), mean=tuple((0.0 - offset).tolist()))
        std = 1 / factor
        return replace(rule, scale=1.0, mean=tuple((0.0 - offset * std).tolist()), std=tuple(std.tolist()))
    except (ConfigError, FloatingPointError):
        return None
