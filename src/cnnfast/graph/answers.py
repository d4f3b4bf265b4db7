"""What the output of a network answers: one class for each image, or one for each of several positions.

Which axis holds the classes is never guessed: an output with several axes tells it by the softmax that it ends in, or
by a number of labels equal to the length of one axis.
"""

from __future__ import annotations

import math

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Shape

_MOVES = ops.Identity | ops.Flatten | ops.Reshape | ops.Transpose
"""Ops behind a softmax that leave its values as they are."""


@frozen
class Answers:
    """How the probabilities of a network are computed and read.

    Attributes
    ----------
    graph : Graph
        The network with probabilities as its output, the classes along the last axis.
    positions : tuple of int
        Shape of the answers for one image; () where there is one.
    classes : int
        What each answer chooses from; 2 where there is a single output.
    """

    graph: Graph
    positions: Shape
    classes: int


@frozen
class _End:
    """The last op that computes: its node, and which axis of the output its axis is; None where moves have lost it."""

    node: Node | None
    axis: int | None


def with_probabilities(graph: Graph) -> Graph:
    """Return the graph with a softmax or sigmoid at its end, or itself if it gives probabilities already.

    Raises
    ------
    UnsupportedError
        As `answers_of`.
    """
    return answers_of(graph).graph


def answers_of(graph: Graph, labels: int | None = None) -> Answers:
    """Find out what a graph answers.

    Parameters
    ----------
    graph : Graph
        With one output.
    labels : int, optional
        How many labels the network has.

    Raises
    ------
    UnsupportedError
        If the output has several axes and it is unclear which of them holds the classes.

    Examples
    --------
    >>> scores = Graph({"x": (4, 62)}, (Node("y", ops.Softmax(2), ("x",)),), {}, ("y",))
    >>> answers_of(scores).positions, answers_of(scores).classes
    ((4,), 62)
    """
    (output,) = graph.outputs
    shape = graph.shapes[output]
    end = _end(graph)
    axis = _class_axis(shape, end, labels)
    if math.prod(shape) == 1:
        return Answers(_as_probabilities(graph, end, None), (), 2)
    if axis is None:
        return Answers(_as_probabilities(graph, end, None), (), math.prod(shape))
    found = _as_probabilities(graph, end, axis)
    positions = shape[:axis] + shape[axis + 1 :]
    if math.prod(positions) == 1:
        return Answers(found, (), shape[axis])
    if axis != len(shape) - 1:
        others = [a + 1 for a in range(len(shape)) if a != axis]
        found = _append(found, ops.Transpose((0, *others, axis + 1)))
    return Answers(found, positions, shape[axis])


def deciding_node(graph: Graph) -> Node | None:
    """Return the softmax or sigmoid that makes the probabilities of a graph of `answers_of`, behind it only moves.

    Examples
    --------
    >>> deciding_node(Graph({"x": (4,)}, (Node("y", ops.Softmax(), ("x",)),), {}, ("y",)))
    Node(name='y', op=Softmax(axis=1), inputs=('x',))
    """
    node = _end(graph).node
    return node if node is not None and isinstance(node.op, ops.Softmax | ops.Sigmoid) else None


def label_counts(graph: Graph) -> tuple[int, ...]:
    """Return how many labels may go with a graph, the most usual number first.

    Examples
    --------
    >>> label_counts(Graph({"x": (4, 62)}, (Node("y", ops.Relu(), ("x",)),), {}, ("y",)))
    (248, 4, 62)
    """
    (output,) = graph.outputs
    shape, end = graph.shapes[output], _end(graph)
    wide = [size for size in shape if size > 1]
    if len(wide) > 1 and end.axis is not None and shape[end.axis] > 1:
        return (shape[end.axis],)
    return tuple(dict.fromkeys([math.prod(shape), *(wide if len(wide) > 1 else ())]))


def _class_axis(shape: Shape, end: _End, labels: int | None) -> int | None:
    """Return the axis of the output that holds the classes, or None where all of its elements are classes."""
    wide = [axis for axis, size in enumerate(shape) if size > 1]
    over = end.node is not None and isinstance(end.node.op, ops.Softmax | ops.LogSoftmax)
    if over and end.axis is None:
        raise _unclear(shape, f"the {_called(end)} is followed by a reshape that mixes its axis with others")
    if over and end.axis not in wide:
        raise _unclear(shape, f"the {_called(end)} goes along an axis of size 1, which makes every result 1")
    if over:
        return end.axis
    if len(wide) == 1:
        return wide[0]
    if not wide or labels == math.prod(shape):
        return None
    fitting = [axis for axis in wide if shape[axis] == labels]
    if len(fitting) == 1:
        return fitting[0]
    raise _unclear(shape, "neither a softmax at its end nor the number of labels shows which axis holds the classes")


def _unclear(shape: Shape, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"the output of this network has the shape {shape} for each image, but {why}, so it has no classes to predict; "
        "net.forward(images) gives the output itself, and classes=[...] with as many labels as one axis is long names "
        "that axis"
    )


def _called(end: _End) -> str:
    assert end.node is not None
    return f"{end.node.op.name} {end.node.name!r}"


def _end(graph: Graph) -> _End:
    """Return the last op that computes, looking through those that only move its values."""
    (value,) = graph.outputs
    moves: list[Node] = []
    node = graph.by_name.get(value)
    while node is not None and isinstance(node.op, _MOVES):
        moves.append(node)
        node = graph.by_name.get(node.inputs[0])
    if node is None or not isinstance(node.op, ops.Softmax | ops.LogSoftmax):
        return _End(node, None)
    axis: int | None = node.op.axis - 1
    for move in reversed(moves):
        if axis is not None:
            axis = _moved(move.op, graph.shapes[move.inputs[0]], graph.shapes[move.name], axis)
    return _End(node, axis)


def _moved(op: ops.Op, before: Shape, after: Shape, axis: int) -> int | None:
    """Return which axis an axis is after a move, or None if it is no longer an axis."""
    if isinstance(op, ops.Transpose):
        return op.order.index(axis + 1) - 1
    if before == after:
        return axis
    outside = math.prod(before[:axis])
    axes = [b for b, size in enumerate(after) if size == before[axis] and math.prod(after[:b]) == outside]
    return axes[0] if axes else None


def _as_probabilities(graph: Graph, end: _End, axis: int | None) -> Graph:
    """Return the graph with probabilities along an axis of its output, or over all of it."""
    (output,) = graph.outputs
    shape = graph.shapes[output]
    if end.node is not None and isinstance(end.node.op, ops.Softmax | ops.Sigmoid):
        return graph
    if end.node is not None and end.node.name == output and isinstance(end.node.op, ops.LogSoftmax):
        return _append(graph, ops.Softmax(end.node.op.axis), end.node.inputs[0])
    count = math.prod(shape)
    if axis is None or shape[axis] == count:
        flat = graph if shape == (count,) else _append(graph, ops.Flatten())
        return _append(flat, ops.Sigmoid() if count == 1 else ops.Softmax())
    return _append(graph, ops.Softmax(axis + 1))


def _append(graph: Graph, op: ops.Op, value: str | None = None) -> Graph:
    value = graph.outputs[0] if value is None else value
    name = f"{value}:{op.name}"
    while name in graph.shapes:
        name += ":"
    return Graph(graph.inputs, (*graph.nodes, Node(name, op, (value,))), graph.constants, (name,))
