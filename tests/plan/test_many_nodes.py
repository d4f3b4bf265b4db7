"""Graphs of thousands of nodes: planned in time that grows with their number, and refused beyond a limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from kernels.engines import execute

from cnnfast.errors import GraphError
from cnnfast.graph import MAX_NODES, Graph, Node, constant
from cnnfast.ops import Add, BatchNorm, Concat, Conv2d, Mul, Op, Relu, Sigmoid, Tanh
from cnnfast.plan import make_plan, memory

COUNT = 2_000


def wide_concat(count: int) -> list[Node]:
    parts = [Node(f"r{i}", Relu() if i % 2 else Tanh(), ("x",)) for i in range(count)]
    return [*parts, Node("y", Concat(), tuple(part.name for part in parts))]


def long_lives(count: int) -> list[Node]:
    """Values that are read in the opposite order."""
    nodes = [Node(f"r{i}", Sigmoid() if i % 2 else Tanh(), ("x",)) for i in range(count)]
    for i in range(1, count):
        nodes.append(Node(f"a{i}", Add(), (f"a{i - 1}" if i > 1 else "r0", f"r{count - i}")))
    return nodes


def chain(count: int, *ops: tuple[Op, tuple[str, ...]]) -> list[Node]:
    steps = (ops[i % len(ops)] for i in range(count))
    return [Node(f"c{i}", op, (f"c{i - 1}" if i else "x", *reads)) for i, (op, reads) in enumerate(steps)]


GRAPHS: dict[str, Callable[[], list[Node]]] = {
    "a join of thousands": lambda: wide_concat(COUNT),
    "a join of one value": lambda: [Node("y", Concat(), ("x",) * COUNT)],
    "long lives": lambda: long_lives(COUNT // 2),
    "products with a large constant": lambda: chain(COUNT, (Mul(), ("large",))),
    "layers that share their weights": lambda: chain(COUNT, (Conv2d(), ("w",)), (BatchNorm(), ("p",) * 4)),
}


def run(nodes: list[Node]) -> None:
    constants = {"large": np.linspace(-1, 1, 32).reshape(2, 4, 4), "w": np.eye(2)[:, :, None, None], "p": np.ones(2)}
    graph = Graph(
        {"x": (2, 4, 4)}, tuple(nodes), {name: constant(array) for name, array in constants.items()}, (nodes[-1].name,)
    )
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)
    plan = make_plan(graph)
    (result,) = execute(plan, [x])
    assert np.isfinite(result).all()
    if plan.small_batch is not None:
        np.testing.assert_array_equal(execute(plan.small_batch, [x])[0], result)


@pytest.mark.parametrize("name", GRAPHS)
def test_thousands_of_nodes_are_planned_and_run(name: str) -> None:
    """What is quadratic in their number takes minutes here."""
    run(GRAPHS[name]())


def test_both_ways_to_place_values_give_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph({"x": (2, 4, 4)}, tuple(long_lives(60)), {}, ("a59",))
    x = np.random.default_rng(0).standard_normal((3, 2, 4, 4)).astype(np.float32)
    with_care = make_plan(graph)
    monkeypatch.setattr(memory, "MAX_BY_SIZE", 0)
    quickly = make_plan(graph)
    assert with_care.arena <= quickly.arena <= 2 * with_care.arena
    np.testing.assert_array_equal(execute(quickly, [x])[0], execute(with_care, [x])[0])


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(GraphError, match=f"at most {MAX_NODES} nodes, but this one has {MAX_NODES + 1}"):
        Graph({"x": (1,)}, tuple(chain(MAX_NODES + 1, (Relu(), ()))), {}, ("c0",))
