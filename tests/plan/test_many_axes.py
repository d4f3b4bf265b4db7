"""Values of more than three axes between reshapes: channel shuffle, pixel shuffle, slices of them."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.engines import ENGINES, run

from cnnfast.graph import Graph, Node, evaluate
from cnnfast.ops import Op, Relu, Reshape, Slice, Transpose

CHAINS: dict[str, tuple[Op, ...]] = {
    "channel-shuffle": (Reshape((2, 3, 4, 5)), Transpose((0, 2, 1, 3, 4)), Reshape((6, 4, 5))),
    "pixel-shuffle": (Reshape((2, 3, 1, 4, 5)), Transpose((0, 3, 4, 1, 5, 2)), Relu(), Reshape((1, 8, 15))),
    "slice": (Reshape((2, 3, 4, 5)), Slice((1, 0, 3, 0), (1, 2, 4, 2), (1, 2, -1, 3)), Reshape((16,))),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, engine: str) -> None:
    ops = CHAINS[name]
    nodes = [Node(f"v{i + 1}", op, (f"v{i}",)) for i, op in enumerate(ops)]
    graph = Graph({"v0": (6, 4, 5)}, tuple(nodes), {}, (nodes[-1].name,))
    x = np.random.default_rng(0).standard_normal((5, 6, 4, 5)).astype(np.float32)
    (result,) = run(engine, graph, [x])
    np.testing.assert_array_equal(result, evaluate(graph, x)[nodes[-1].name].reshape(5, -1))
