"""Lowers a graph to kernels with images in the lanes, layout chwn<L>.

The rules are in ``plan/fused_layers.py`` and ``algorithms.py`` (convolutions and dense layers, with what is fused into
them) and in ``rules.py`` and ``plan/elements.py`` (all other ops); what they share is in ``values.py``.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from functools import cached_property

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph
from cnnfast.ops import Binary, Conv2d, Fused, MatMul, Op
from cnnfast.ops.quantized import IntegerConv2d
from cnnfast.plan import choose, elements, fused_layers  # noqa: F401  (each registers its rules)
from cnnfast.plan.budget import FLOAT, PlanBudget
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.chwn import integer_layers, integers, rules  # noqa: F401  (each registers its rules)
from cnnfast.plan.chwn.algorithms import LAYERS
from cnnfast.plan.chwn.values import NO_HALO, ChwnLowering, copy_value
from cnnfast.plan.lowering import LoweringRules, NodeIO
from cnnfast.plan.offsets import Halo, conv_halo
from cnnfast.plan.row_streaming import StreamedChain, find_chains
from cnnfast.plan.step import SharedWeights
from cnnfast.plan.streamed_chain import lower_chain
from cnnfast.runtime.dispatch import kernels

rule = LoweringRules()


@dataclass(eq=False, repr=False)
class WholeGraph(ChwnLowering):
    """Steps in layout chwn<L>, some of them by row streaming: chains by the name of their last node."""

    chains: dict[str, StreamedChain] = field(default_factory=dict)

    @cached_property
    def inner(self) -> frozenset[str]:
        """The nodes of all chains but their last ones."""
        return frozenset().union(*(chain.inner for chain in self.chains.values()))

    def is_left_out(self, node: str) -> bool:
        """Return whether a node is computed as a part of another one."""
        return node in self.inner

    def lower(self, op: Op, site: NodeIO) -> None:
        """Emit the steps of one node, or those of the chain that it ends."""
        if site.node in self.chains:
            lower_chain(self, self.chains[site.node])
        else:
            super().lower(op, site)


def lower_chwn(
    graph: Graph,
    algorithms: Container[str] = ALGORITHMS,
    budget: PlanBudget | None = None,
    weights: SharedWeights | None = None,
) -> WholeGraph:
    """Return the steps that compute a graph for L images at once, by the algorithms of convolution that may be used.

    Raises
    ------
    BudgetError
        If more memory would be taken than the budget allows.
    UnsupportedError
        If an op or a rank has no kernel; all such nodes are listed.
    """
    lowering = WholeGraph(
        graph,
        shapes=dict(graph.shapes),
        budget=budget or PlanBudget(),
        layers=LAYERS | integer_layers.LAYERS,
        halos=halos(graph, algorithms),
        algorithms=algorithms,
        zeros=halo_zeros(graph),
        weights=weights or SharedWeights(),
    )
    lowering.enter_bytes()
    lowering.chains = find_chains(lowering)
    emit_all(lowering)
    for name in graph.outputs:
        if name in graph.constants:
            copy_value(lowering, NodeIO(name, (name,), name))
        elif name in lowering.halos:
            # results are stored from values without a border
            lowering.results[name] = compact = f"{name}:compact"
            lowering.shapes[compact] = lowering.shapes[name]
            copy_value(lowering, NodeIO(name, (name,), compact))
    return lowering


def emit_all(lowering: ChwnLowering) -> None:
    """Emit the steps of every node, and zeros around each value that has a border."""
    for value in lowering.halos:
        # a stride as large as the padding leaves nothing of it in the result
        lowering.budget.ask(lowering.size(value) * kernels.lanes() * FLOAT, f"value {value!r} with zeros around it")
    for name in lowering.graph.inputs:
        lowering.clear_halo(name, name)
    rule.apply_all(lowering)


def halos(graph: Graph, algorithms: Container[str]) -> dict[str, Halo]:
    """Return the border that each value needs: the largest that a convolution asks for."""
    found: dict[str, Halo] = {}
    for node in graph.nodes:
        op = _base(node.op)
        if isinstance(op, Conv2d | IntegerConv2d):
            source, weight = (graph.shapes[v] for v in node.inputs[:2])
            conv = op if isinstance(op, Conv2d) else op.on_numbers()
            output = conv.shape(source, weight)
            how = choose.algorithm(conv, weight, output, algorithms)[0] if conv is op else "direct"
            need = conv_halo(conv, source, weight, output, how)
            known = found.get(node.inputs[0], NO_HALO)
            found[node.inputs[0]] = tuple(map(max, known, need))  # type: ignore[assignment]
    return {value: halo for value, halo in found.items() if any(halo) and value not in graph.constants}


def halo_zeros(graph: Graph) -> dict[str, int]:
    """Return the byte around each value that convolutions of integers read beyond its edges."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        op = _base(node.op)
        if isinstance(op, IntegerConv2d) and found.setdefault(node.inputs[0], op.x_zero) != op.x_zero:
            raise UnsupportedError(
                f"node {node.name!r} takes {op.x_zero} for zero in {node.inputs[0]!r}, "
                f"where another convolution takes {found[node.inputs[0]]}"
            )
    return found


def _base(op: Op) -> Op:
    """Return the op itself, or the one that a `Fused` begins with."""
    return op.base if isinstance(op, Fused) else op


@rule(Op)
def _materialised(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    """Emit an op; one that reads a constant as an image gets a copy of it, and a halo around the result is cleared."""
    if lowering.is_left_out(site.node):
        return
    inputs = list(site.inputs)
    base = _base(op)
    # arithmetic and products read a constant where it is
    first = len(base.data) if isinstance(base, Binary | MatMul) else 0
    for index, value in enumerate(inputs):
        if index >= first and op.is_data_input(index) and value in lowering.graph.constants:
            inputs[index] = f"{site.result}<{value}"
            lowering.shapes[inputs[index]] = lowering.shapes[value]
            copy_value(lowering, NodeIO(site.node, (value,), inputs[index]))
    lowering.lower(op, NodeIO(site.node, tuple(inputs), site.result))
    lowering.clear_halo(site.node, site.result)
