"""epilogue_of: what fits into an epilogue follows only from the capabilities of a kernel."""

from __future__ import annotations

from typing import Any

import pytest
from small_graphs import net

from cnnfast import ops
from cnnfast.graph import Graph
from cnnfast.graph.fusion import Capabilities, Epilogue, Pooling, ResidualKind, epilogue_of, epilogue_of_fused
from cnnfast.ops import Activation, Fused, Op

ANY_RESIDUAL = ResidualKind.EARLIER | ResidualKind.LATER | ResidualKind.CONSTANT
ALL = Capabilities(ANY_RESIDUAL, (Activation,), slopes=True, pooling=Pooling.ANY)
CONV = ("conv", ops.Conv2d(padding=1), "x", "w")


def graph_of(*nodes: Any, **constants: Any) -> Graph:
    return net(CONV, *nodes, w=(3, 3, 3, 3), **constants)


def of(graph: Graph, can: Capabilities) -> Epilogue:
    return epilogue_of(graph, graph.by_name["conv"], can)


TAIL = (("sum", ops.Add(), "conv", "x"), ("relu", ops.Relu(), "sum"), ("y", ops.MaxPool(2), "relu"))


@pytest.mark.parametrize(
    ("can", "fitting"),
    [
        (Capabilities(), ()),
        (Capabilities(ResidualKind.EARLIER), (ops.Add(),)),
        (Capabilities(ResidualKind.EARLIER, (ops.Relu,)), (ops.Add(), ops.Relu())),
        (Capabilities(ResidualKind.EARLIER, (ops.Tanh,), pooling=Pooling.ANY), (ops.Add(),)),
        (Capabilities(ResidualKind.EARLIER, (Activation,), pooling=Pooling.HALVING), (ops.Add(), ops.Relu())),
        (ALL, (ops.Add(), ops.Relu(), ops.MaxPool(2))),
        (Capabilities(ResidualKind.CONSTANT, (Activation,), slopes=True, pooling=Pooling.ANY), ()),
    ],
    ids=repr,
)
def test_an_epilogue_ends_at_the_first_op_that_does_not_fit(can: Capabilities, fitting: tuple[Op, ...]) -> None:
    graph = graph_of(*TAIL)
    found = of(graph, can)
    assert found.ops == fitting
    assert found.nodes == graph.nodes[1 : 1 + len(fitting)]
    assert found.reads == (("x",) if fitting else ())
    fused = Fused(CONV[1], tuple(op for _, op, *_ in TAIL), 2)
    again = epilogue_of_fused(fused, ("x", "w", "x"), graph.shapes, graph.constants, can)
    assert (again.ops, again.reads, again.nodes) == (fitting, found.reads, ())


@pytest.mark.parametrize(
    ("operand", "kind"), [("x", ResidualKind.EARLIER), ("later", ResidualKind.LATER), ("c", ResidualKind.CONSTANT)]
)
def test_which_values_can_be_added(operand: str, kind: ResidualKind) -> None:
    graph = graph_of(("later", ops.Tanh(), "x"), ("y", ops.Add(), operand, "conv"), c=(1, 1, 8))
    assert graph.order["later"] > graph.order["conv"]
    assert of(graph, Capabilities(kind)).residual == operand
    assert of(graph, Capabilities(ANY_RESIDUAL & ~kind)) == Epilogue()


def test_a_value_of_another_shape_is_not_added() -> None:
    graph = graph_of(("mean", ops.GlobalAvgPool(), "x"), ("y", ops.Add(), "conv", "mean"))
    assert of(graph, ALL) == Epilogue()


def test_a_slope_needs_a_kernel_that_reads_it() -> None:
    graph = graph_of(("y", ops.PRelu(), "conv", "slope"), slope=(3,))
    assert of(graph, ALL).reads == ("slope",)
    assert of(graph, Capabilities(activations=(Activation,))) == Epilogue()


@pytest.mark.parametrize(
    ("pool", "halves"),
    [
        (ops.MaxPool(2), True),
        (ops.MaxPool(2, ceil_mode=True), True),
        (ops.MaxPool(2, 1), False),
        (ops.MaxPool(3, 2), False),
        (ops.AvgPool(2), False),
    ],
    ids=repr,
)
def test_which_pools_halve(pool: ops.MaxPool, halves: bool) -> None:
    graph = graph_of(("y", pool, "conv"))
    assert of(graph, Capabilities(pooling=Pooling.HALVING)).ops == ((pool,) if halves else ())
    assert of(graph, Capabilities(pooling=Pooling.ANY)).ops == (pool,)


def test_a_pool_with_a_partial_window_does_not_halve() -> None:
    graph = net(CONV, ("y", ops.MaxPool(2, ceil_mode=True), "conv"), x=(3, 7, 8), w=(3, 3, 3, 3))
    assert of(graph, Capabilities(pooling=Pooling.HALVING)) == Epilogue()


def test_nodes_that_are_taken_stay() -> None:
    graph = graph_of(*TAIL)
    assert epilogue_of(graph, graph.by_name["conv"], ALL, {"relu"}).ops == (ops.Add(),)


def test_a_value_that_is_needed_elsewhere_ends_an_epilogue() -> None:
    graph = graph_of(("relu", ops.Relu(), "conv"), ("tanh", ops.Tanh(), "conv"), ("y", ops.Add(), "relu", "tanh"))
    assert of(graph, ALL) == Epilogue()
