"""How bytes become the input of a network whose file does not state so in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnfast.errors import ConfigError
from cnnfast.graph import Graph, Node
from cnnfast.graph.passes.affine import Affine, affine_of
from cnnfast.images.preprocess import MODES, check_preprocess, rule_of
from cnnfast.ops import Add, Concat, Div, Dropout, Flatten, Identity, Mul, Pad, Reshape, Resize, Slice, Sub, Transpose

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

__all__ = ["MODES", "check_preprocess", "with_pixels"]

_MOVES = Concat | Dropout | Flatten | Identity | Pad | Reshape | Resize | Slice | Transpose
"""Ops in front of arithmetic that leave open what a value means."""


def with_pixels(
    graph: Graph, preprocess: Preprocess | str | None, byte: tuple[float, float] | None = None
) -> tuple[Graph, Preprocess | None]:
    """Return the graph and the rule that makes its input of bytes, or None where nothing states what a byte means.

    Parameters
    ----------
    graph : Graph
        As the file has it.
    preprocess : Preprocess or str or None
        A rule or the name of one of `MODES` leaves the graph as it is. By default bytes mean what they would mean to
        the network itself, if it begins with arithmetic, one factor and one summand for each channel, as Rescaling
        and Normalization are: it scales its input, so it was made for bytes, and the arithmetic moves out of the graph
        into the rule. A network that begins with anything else says nothing: half of those that people have were
        trained on 0 to 255, half on 0 to 1 or -1 to 1.
    byte : (float, float), optional
        Factor and offset of an input of integers, which does say what a byte means: ``byte * factor + offset``.

    Raises
    ------
    ConfigError
        For a mode that does not fit the channels.
    """
    from cnnfast.images.preprocess import Preprocess

    (shape,) = graph.inputs.values()
    if preprocess is not None:
        return graph, rule_of(preprocess, shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        return graph, None
    rest, affine = without_leading_affine(graph)
    if rest is graph and byte is None and not _scales_later(graph):
        return graph, None
    rule = Preprocess(size=(shape[1], shape[2]), channels="gray" if shape[0] == 1 else "rgb", scale=1.0)
    factor, offset = byte or (1.0, 0.0)
    given = Affine(np.full(shape[0], factor), np.full(shape[0], offset))
    fitted = _fitted(rule, given.then(affine))
    return (graph, _fitted(rule, given)) if fitted is None else (rest, fitted)


def _scales_later(graph: Graph) -> bool:
    """Return whether the input is scaled behind ops that only move or resize it."""
    (value,) = graph.inputs
    while readers := graph.consumers[value]:
        node = readers[0]
        if any(other is not node for other in readers):
            return False
        if isinstance(node.op, Add | Sub | Mul | Div):
            return affine_of(graph, node, value) is not None
        if not isinstance(node.op, _MOVES):
            return False
        value = node.name
    return False


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
