"""Lowers a graph to kernels for one image with channels in the lanes, layout nchw<L>c.

Every sum has the same products in the same order as with images in the lanes, so results are bit-identical.
"""

from __future__ import annotations

import math
from collections.abc import Container

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph
from cnnfast.plan.budget import PlanBudget
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.chwn.lowering import emit_all, halo_zeros, halos
from cnnfast.plan.lowering import NodeIO
from cnnfast.plan.nchwc import integer_layers, rules  # noqa: F401  (the last registers its rules)
from cnnfast.plan.nchwc.algorithms import LAYERS
from cnnfast.plan.nchwc.values import NchwcLowering, copy_elements


def lower_nchwc(
    graph: Graph, algorithms: Container[str] = ALGORITHMS, budget: PlanBudget | None = None
) -> NchwcLowering:
    """Return the steps that compute a graph for one image.

    Raises
    ------
    BudgetError
        If more memory would be taken than the budget allows.
    UnsupportedError
        If an op or a shape has no kernel for channels in the lanes; all such nodes are listed.
    """
    lowering = NchwcLowering(
        graph,
        shapes=dict(graph.shapes),
        budget=budget or PlanBudget(),
        layers=LAYERS | integer_layers.LAYERS,
        halos=halos(graph, algorithms),
        algorithms=algorithms,
        zeros=halo_zeros(graph),
    )
    lowering.enter_bytes()
    emit_all(lowering)
    for name in graph.outputs:
        _flatten_result(lowering, name)
    return lowering


def _flatten_result(lowering: NchwcLowering, name: str) -> None:
    """Results are stored from elements in the order C, H, W."""
    if name in lowering.graph.constants:
        raise UnsupportedError(f"channels in the lanes: the output {name} is a constant")
    if lowering.chw(name)[1:] == (1, 1) and name not in lowering.halos:
        return
    lowering.results[name] = flat = f"{name}:flat"
    lowering.shapes[flat] = (math.prod(lowering.shapes[name]),)
    copy_elements(lowering, NodeIO(name, (name,), flat), lowering.elements(name), lowering.elements(flat))
