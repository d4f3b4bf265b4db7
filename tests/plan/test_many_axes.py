"""Values of more than three axes between reshapes: channel shuffle, pixel shuffle, slices of them."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.engines import ENGINES, run, using

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node, constant, evaluate
from cnnfast.ops import Op
from cnnfast.plan import make_plan

CHAINS: dict[str, tuple[Op, ...]] = {
    "channel-shuffle": (ops.Reshape((2, 3, 4, 5)), ops.Transpose((0, 2, 1, 3, 4)), ops.Reshape((6, 4, 5))),
    "pixel-shuffle": (
        ops.Reshape((2, 3, 1, 4, 5)),
        ops.Transpose((0, 3, 4, 1, 5, 2)),
        ops.Relu(),
        ops.Reshape((1, 8, 15)),
    ),
    "slice": (ops.Reshape((2, 3, 4, 5)), ops.Slice((1, 0, 3, 0), (1, 2, 4, 2), (1, 2, -1, 3)), ops.Reshape((16,))),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, engine: str) -> None:
    chain = CHAINS[name]
    nodes = [Node(f"v{i + 1}", op, (f"v{i}",)) for i, op in enumerate(chain)]
    graph = Graph({"v0": (6, 4, 5)}, tuple(nodes), {}, (nodes[-1].name,))
    x = np.random.default_rng(0).standard_normal((5, 6, 4, 5)).astype(np.float32)
    (result,) = run(engine, graph, [x])
    np.testing.assert_array_equal(result, evaluate(graph, x)[nodes[-1].name].reshape(5, -1))


FOUR = (4, 3, 2, 5)
OVER_ALL_AXES = tuple(range(1, 5))
AT_FOUR_AXES: dict[str, tuple[Op, tuple[tuple[int, ...], ...]]] = {
    **{
        type(op).__name__: (op, ())
        for op in (
            ops.Relu(),
            ops.Sigmoid(),
            ops.Gelu(),
            ops.Abs(),
            ops.Erf(),
            ops.Mish(),
            ops.Identity(),
            ops.Flatten(),
        )
    },
    **{f"{op.name}-{op.axis}": (op, ()) for axis in OVER_ALL_AXES for op in (ops.Softmax(axis), ops.LogSoftmax(axis))},
    "prelu": (ops.PRelu(), ((4,),)),
    "prelu-shared": (ops.PRelu(), ((1,),)),
    "group_norm": (ops.GroupNorm(2), ((4,), (4,))),
    "layer_norm": (ops.LayerNorm((2, 4)), ((3, 5),)),
    "reduce": (ops.ReduceMean((1, 3)), ()),
    "concat": (ops.Concat(2), ()),
    "matmul": (ops.MatMul(), ((4, 3, 5, 2),)),
    "matmul-repeated": (ops.MatMul(), ((1, 1, 5, 2),)),
    "add": (ops.Add(), (FOUR,)),
    "mul": (ops.Mul(), ((4, 1, 1, 1),)),
}
"""Ops on a value of four axes, and the shapes of the constants that they read."""

REFUSED = {"group_norm", "layer_norm", "reduce", "concat", "add", "mul"}
"""What no kernel does at four axes: an error that says so, and never a wrong number."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", AT_FOUR_AXES)
def test_four_axes_are_right_or_refused(name: str, engine: str) -> None:
    op, shapes = AT_FOUR_AXES[name]
    rng = np.random.default_rng(0)
    constants = {f"c{i}": constant(rng.standard_normal(shape)) for i, shape in enumerate(shapes)}
    graph = Graph(
        {"x": (120,)}, (Node("four", ops.Reshape(FOUR), ("x",)), Node("y", op, ("four", *constants))), constants, ("y",)
    )
    if name in REFUSED and not (engine.startswith("nchwc") or (name, engine) == ("concat", "nchw")):
        with using(engine) as layout, pytest.raises(UnsupportedError, match="more than three axes"):
            make_plan(graph, layout)
        return
    x = rng.standard_normal((19, 120)).astype(np.float32)
    (result,) = run(engine, graph, [x])
    np.testing.assert_allclose(result, evaluate(graph, x)["y"].reshape(19, -1), rtol=0, atol=2e-6)
