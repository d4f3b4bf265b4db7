"""Join a node with the cheap ones that follow, so that a kernel does them before it stores its result."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cnnfast import ops
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import only_readers, rebuilt
from cnnfast.ops import Op

LAYERS = (ops.Conv2d, ops.Linear)
"""These swallow a residual add, an activation and a pool, in this order, each at most once."""

OTHERS = (
    ops.Add,
    ops.Sub,
    ops.Mul,
    ops.Div,
    ops.BatchNorm,
    ops.MaxPool,
    ops.AvgPool,
    ops.GlobalAvgPool,
    ops.GlobalMaxPool,
)
"""These swallow an activation."""


@dataclass
class _Tail:
    """The ops behind a base, filled from front to back."""

    nodes: list[Node]
    add: tuple[Op, ...] = ()
    activation: tuple[Op, ...] = ()
    pool: tuple[Op, ...] = ()
    extra: list[str] = field(default_factory=list)
    """What the add and the activation read besides the running result; a pool reads nothing else."""

    @property
    def ops(self) -> tuple[Op, ...]:
        return self.add + self.activation + self.pool


def fuse(graph: Graph) -> Graph:
    """Make `Fused` nodes: a base, then at most a residual add, an activation and a pool.

    Only values that nothing else reads disappear. The new node has the name of the last one that it swallowed. Where
    two layers could take the same add, the later one does: by then the other operand is there. An activation behind a
    max-pool goes before it if that gives the same bits.
    """
    fused: dict[str, Node] = {}
    taken: set[str] = set()
    readers = only_readers(graph)
    for bases in (LAYERS, OTHERS):
        for node in reversed(graph.nodes):
            if node.name in taken or not isinstance(node.op, bases):
                continue
            tail = _tail(graph, node, readers, taken)
            if tail.ops:
                taken.update(n.name for n in tail.nodes)
                name, op = tail.nodes[-1].name, ops.Fused(node.op, tail.ops, len(node.inputs))
                fused[name] = Node(name, op, (*node.inputs, *tail.extra))
    if not fused:
        return graph
    nodes = (fused.get(n.name, n) for n in graph.nodes if n.name in fused or n.name not in taken)
    return rebuilt(graph, nodes, graph.constants)


def _tail(graph: Graph, base: Node, readers: dict[str, Node], taken: set[str]) -> _Tail:
    """Collect what follows ``base`` as far as it fits."""
    tail = _Tail([base])
    while (reader := readers.get(value := tail.nodes[-1].name)) is not None and reader.name not in taken:
        if isinstance(reader.op, ops.Activation) and _activation_fits(graph, tail, reader):
            tail.activation = (reader.op,)
            tail.extra += reader.inputs[1:]
        elif not isinstance(base.op, LAYERS):
            break
        elif isinstance(reader.op, ops.Add) and not tail.ops and _is_residual(graph, reader, value):
            tail.add = (reader.op,)
            tail.extra += (v for v in reader.inputs if v != value)
        elif isinstance(reader.op, ops.MaxPool | ops.AvgPool) and not tail.pool:
            tail.pool = (reader.op,)
        else:
            break
        tail.nodes.append(reader)
    return tail


def _activation_fits(graph: Graph, tail: _Tail, reader: Node) -> bool:
    if tail.activation:
        return False
    return not tail.pool or (_pool_has_no_empty_window(tail.pool[0]) and _keeps_order_exactly(graph, reader))


def _is_residual(graph: Graph, add: Node, value: str) -> bool:
    """Tell whether an add keeps the shape of ``value`` and adds a computed value of that shape, or any constant."""
    (other,) = (v for v in add.inputs if v != value)
    shape = graph.shapes[value]
    return graph.shapes[add.name] == shape and (graph.shapes[other] == shape or other in graph.constants)


def _pool_has_no_empty_window(pool: Op) -> bool:
    """Tell whether a pool is a max-pool that sees an element of the image in every window.

    An empty window gives -inf, which an activation behind the pool would change and one before it would not. A window
    without gaps is never empty, because padding is smaller than it.
    """
    return isinstance(pool, ops.MaxPool) and (pool.dilation == (1, 1) or not (any(pool.padding) or pool.ceil_mode))


def _keeps_order_exactly(graph: Graph, node: Node) -> bool:
    """Tell whether an activation never falls, rounding included, so that it may go before a max-pool.

    Smooth functions rise too, but an approximation of exp need not rise at every last bit; and before the pool there
    are more of them to compute. A slope of zero times infinity is NaN, which the pool would have hidden.
    """
    match node.op:
        case ops.Relu() | ops.Clip():
            return True
        case ops.LeakyRelu(slope=slope):
            return slope > 0
        case ops.PRelu():
            return bool(np.all(graph.constants[node.inputs[1]] > 0))
        case ops.HardSigmoid(alpha=alpha):
            return alpha > 0
        case _:
            return False
