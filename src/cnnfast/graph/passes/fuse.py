"""Join a node with the cheap ones that follow, so that a kernel does them before it stores its result."""

from __future__ import annotations

from cnnfast import ops
from cnnfast.graph.fusion import Capabilities, Pooling, ResidualKind, epilogue_of
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import rebuilt
from cnnfast.ops import Activation, Fused, Op

LAYERS: tuple[type[Op], ...] = (ops.Conv2d, ops.Linear)
"""These fuse a residual add, an activation and a pool, in this order, each at most once."""

OTHERS: tuple[type[Op], ...] = (
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
"""These fuse an activation."""

CAPABILITIES = {
    LAYERS: Capabilities(
        ResidualKind.EARLIER | ResidualKind.LATER | ResidualKind.CONSTANT,
        (Activation,),
        slopes=True,
        pooling=Pooling.ANY,
    ),
    OTHERS: Capabilities(activations=(Activation,), slopes=True),
}
"""What a `Fused` op can express. The planner asks again for each, with the capabilities of its kernels."""


def fuse(graph: Graph) -> Graph:
    """Make `Fused` nodes: a base, then at most a residual add, an activation and a pool.

    Only values that nothing else reads disappear. The new node has the name of the last one that it fuses. Where two
    layers could take the same add, the later one does: by then the other operand is there. An activation behind a
    max-pool goes before it if that is bit-identical.
    """
    fused: dict[str, Node] = {}
    taken: set[str] = set()
    for bases, capabilities in CAPABILITIES.items():
        for node in reversed(graph.nodes):
            if node.name in taken or not isinstance(node.op, bases):
                continue
            epilogue = epilogue_of(graph, node, capabilities, taken)
            if epilogue.nodes:
                taken.update(n.name for n in (node, *epilogue.nodes))
                name, op = epilogue.nodes[-1].name, Fused(node.op, epilogue.ops, len(node.inputs))
                fused[name] = Node(name, op, (*node.inputs, *epilogue.reads))
    if not fused:
        return graph
    nodes = (fused.get(n.name, n) for n in graph.nodes if n.name in fused or n.name not in taken)
    return rebuilt(graph, nodes, graph.constants)
