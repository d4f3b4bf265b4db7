"""Fusion: which of the ops that follow a layer become its epilogue.

The passes, the planner and training all ask here, each with the capabilities of its kernels, so that the rules
are in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum, Flag, auto

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.graph.ir import Graph, Node
from cnnfast.ops import Activation, Array, Fused, Op, Shape


@frozen
class Epilogue:
    """What a layer does with its result before it stores it, in this order.

    Attributes
    ----------
    residual : str or None
        The value that is added.
    activation : Activation or None
    slope : str or None
        The parameter of the activation.
    pool : MaxPool, AvgPool or None
    nodes : tuple of Node
        The nodes that became part of it, in the order of the graph; none if it was asked of a `Fused` op.

    Examples
    --------
    >>> Epilogue("x", ops.Relu()).ops
    (Add(), Relu())
    """

    residual: str | None = None
    activation: Activation | None = None
    slope: str | None = None
    pool: ops.MaxPool | ops.AvgPool | None = None
    nodes: tuple[Node, ...] = ()

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops, in the order in which they are computed."""
        added = None if self.residual is None else ops.Add()
        return tuple(op for op in (added, self.activation, self.pool) if op is not None)

    @property
    def reads(self) -> tuple[str, ...]:
        """What the ops read besides the result of the layer."""
        return tuple(value for value in (self.residual, self.slope) if value is not None)


class ResidualKind(Flag):
    """Which values a kernel can add to its result."""

    NONE = 0
    EARLIER = auto()
    """A value of the shape of the result that is computed before the layer."""
    LATER = auto()
    """A value of that shape that is computed between the layer and the add."""
    CONSTANT = auto()
    """A constant that broadcasts to that shape."""


class Pooling(Enum):
    """Which pool a kernel can apply to its result."""

    NONE = auto()
    HALVING = auto()
    """A 2x2 max-pool of whole windows, if nothing is added before."""
    ANY = auto()
    """Any max-pool or average pool."""


@frozen
class Capabilities:
    """What a kernel can do with its result before it stores it.

    Attributes
    ----------
    residual : ResidualKind
    activations : tuple of type of Activation
    slopes : bool
        Whether an activation may read a parameter.
    pooling : Pooling
    """

    residual: ResidualKind = ResidualKind.NONE
    activations: tuple[type[Activation], ...] = ()
    slopes: bool = False
    pooling: Pooling = Pooling.NONE


@frozen
class _Follower:
    """An op that reads the running result of a layer, and what it reads besides."""

    op: Op
    reads: tuple[str, ...]
    node: Node | None = None


def epilogue_of(graph: Graph, node: Node, can: Capabilities, taken: Collection[str] = ()) -> Epilogue:
    """Return which of the nodes behind a node fit into its epilogue.

    Only values that nothing else reads disappear, and nodes whose names are ``taken`` stay. An activation behind a
    max-pool goes before it if that is bit-identical.

    Examples
    --------
    >>> nodes = (Node("fc", ops.Linear(), ("x", "w")), Node("act", ops.Relu(), ("fc",)))
    >>> graph = Graph({"x": (2,)}, nodes, {"w": np.eye(2)}, ("act",))
    >>> epilogue_of(graph, graph.nodes[0], Capabilities(activations=(ops.Relu,))).ops
    (Relu(),)
    """

    def kind(value: str) -> ResidualKind:
        if value in graph.constants:
            return ResidualKind.CONSTANT
        earlier = value in graph.inputs or graph.order[value] < graph.order[node.name]
        return ResidualKind.EARLIER if earlier else ResidualKind.LATER

    return _Decision(graph.shapes, graph.constants, can, kind).of(
        graph.shapes[node.name], _followers(graph, node, taken)
    )


def epilogue_of_fused(
    op: Fused,
    inputs: tuple[str, ...],
    shapes: Mapping[str, Shape],
    constants: Mapping[str, Array],
    can: Capabilities,
) -> Epilogue:
    """Return how much of the tail of a `Fused` op fits into the epilogue of its base."""

    def kind(value: str) -> ResidualKind:
        return ResidualKind.CONSTANT if value in constants else ResidualKind.EARLIER

    (base, reads), *tail = op.steps(*inputs)
    shape = base.shape(*(shapes[value] for value in reads))
    return _Decision(shapes, constants, can, kind).of(shape, (_Follower(part, extra) for part, extra in tail))


def _followers(graph: Graph, node: Node, taken: Collection[str]) -> Iterator[_Follower]:
    """Yield the nodes behind a node, each the only reader of the one before."""
    value = node.name
    while (reader := graph.only_readers.get(value)) is not None and reader.name not in taken:
        yield _Follower(reader.op, tuple(v for v in reader.inputs if v != value), reader)
        value = reader.name


@frozen
class _Decision:
    """What decides whether an op fits: values, capabilities, and which kind of residual a value would be."""

    shapes: Mapping[str, Shape]
    constants: Mapping[str, Array]
    can: Capabilities
    kind: Callable[[str], ResidualKind]

    def of(self, shape: Shape, followers: Iterable[_Follower]) -> Epilogue:
        """Return the epilogue of a result of some shape: its followers up to the first that does not fit."""
        epilogue = Epilogue()
        for follower in followers:
            if not self._fits(epilogue, shape, follower):
                break
            epilogue = _extended(epilogue, follower)
        return epilogue

    def _fits(self, epilogue: Epilogue, shape: Shape, follower: _Follower) -> bool:
        match follower.op:
            case ops.Add():
                return not epilogue.ops and self._adds(follower.reads[0], shape)
            case Activation():
                return epilogue.activation is None and self._activates(epilogue, follower)
            case ops.MaxPool() | ops.AvgPool():
                return epilogue.pool is None and self._pools(epilogue, shape, follower.op)
            case _:
                return False

    def _adds(self, value: str, shape: Shape) -> bool:
        if not self.can.residual or self.kind(value) not in self.can.residual:
            return False
        if value in self.constants:
            return ops.Add().shape(shape, self.shapes[value]) == shape
        return self.shapes[value] == shape

    def _activates(self, epilogue: Epilogue, follower: _Follower) -> bool:
        if not isinstance(follower.op, self.can.activations) or (follower.reads and not self.can.slopes):
            return False
        return epilogue.pool is None or (_has_no_empty_window(epilogue.pool) and self._keeps_order(follower))

    def _keeps_order(self, follower: _Follower) -> bool:
        """Return whether an activation never falls, rounding included, so that it may go before a max-pool.

        Smooth functions rise too, but an approximation of exp may not rise in its last bit; and before the pool
        there are more of them to compute. A slope of zero times infinity is NaN, which the pool would have hidden.
        """
        match follower.op:
            case ops.Relu() | ops.Clip():
                return True
            case ops.LeakyRelu(slope=slope):
                return slope > 0
            case ops.PRelu():
                return bool(np.all(self.constants[follower.reads[0]] > 0))
            case ops.HardSigmoid(alpha=alpha):
                return alpha > 0
            case _:
                return False

    def _pools(self, epilogue: Epilogue, shape: Shape, pool: ops.MaxPool | ops.AvgPool) -> bool:
        if self.can.pooling is not Pooling.HALVING:
            return self.can.pooling is Pooling.ANY
        return epilogue.residual is None and _halves(pool, shape)


def _extended(epilogue: Epilogue, follower: _Follower) -> Epilogue:
    nodes = epilogue.nodes if follower.node is None else (*epilogue.nodes, follower.node)
    match follower.op:
        case Activation():
            slope = follower.reads[0] if follower.reads else None
            return replace(epilogue, activation=follower.op, slope=slope, nodes=nodes)
        case ops.MaxPool() | ops.AvgPool():
            return replace(epilogue, pool=follower.op, nodes=nodes)
        case _:
            return replace(epilogue, residual=follower.reads[0], nodes=nodes)


def _has_no_empty_window(pool: Op) -> bool:
    """Return whether a pool is a max-pool that sees an element of the image in every window.

    An empty window gives -inf, which an activation behind the pool would change and one before it would not. A window
    without gaps is never empty, because padding is smaller than it.
    """
    return isinstance(pool, ops.MaxPool) and (pool.dilation == (1, 1) or not (any(pool.padding) or pool.ceil_mode))


def _halves(pool: ops.MaxPool | ops.AvgPool, shape: Shape) -> bool:
    """Return whether a pool is a 2x2 max-pool of whole windows."""
    if not isinstance(pool, ops.MaxPool):
        return False
    whole = ops.MaxPool((2, 2))
    return pool == ops.MaxPool((2, 2), ceil_mode=pool.ceil_mode) and pool.shape(shape) == whole.shape(shape)
