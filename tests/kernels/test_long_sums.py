"""Long sums: as good as in float64, whatever the order of the numbers, and short ones in the order they always had."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.engines import ENGINES, plan_of, run, using
from small_graphs import net

from cnnfast.graph import evaluate
from cnnfast.ops import AvgPool, GlobalAvgPool, GroupNorm, LayerNorm, Op, ReduceMean, ReduceSum

SIDE = 224
LARGE = (2, SIDE, SIDE)

OVER_LARGE: dict[str, Op] = {
    "instance_norm": GroupNorm(2),
    "group_norm": GroupNorm(1),
    "layer_norm": LayerNorm((1, 2, 3)),
    "layer_norm_rows": LayerNorm((3,)),
    "global_avg_pool": GlobalAvgPool(),
    "avg_pool": AvgPool(SIDE),
    "reduce_mean": ReduceMean((1, 2, 3), False),
    "reduce_sum": ReduceSum((2,)),
}

PIXELS: dict[str, tuple[float, float]] = {"bytes": (128, 60), "far from zero": (128, 1), "equal": (113.7, 0)}
"""Mean and standard deviation of what is summed."""


# norms of equal pixels are nothing divided by nothing
CASES = [(name, kind) for name in OVER_LARGE for kind in PIXELS if not (kind == "equal" and "norm" in name)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "pixels"), CASES)
def test_off_by_at_most_a_millionth(name: str, pixels: str, engine: str) -> None:
    mean, deviation = PIXELS[pixels]
    graph = net(("y", OVER_LARGE[name], "x"), x=LARGE)
    x = (np.random.default_rng(0).standard_normal((2, *LARGE)) * deviation + mean).astype(np.float32)
    with using(engine) as layout:
        plan_of(graph, layout)
    (result,) = run(engine, graph, [x])
    expected = evaluate(graph, x)["y"].reshape(2, -1)
    assert np.abs(result - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("op", [GlobalAvgPool(), AvgPool(224), ReduceMean((2, 3)), ReduceSum((1, 2, 3))], ids=str)
def test_infinity_stays_infinity(op: Op, engine: str) -> None:
    """What rounding loses of it is not a number, and must not count."""
    graph = net(("y", op, "x"), x=(1, 224, 224))
    with using(engine) as layout:
        plan_of(graph, layout)
    x = np.ones((3, 1, 224, 224), np.float32)
    x[0, 0, 100, 7], x[1, 0, 3, 200] = np.inf, np.nan
    (result,) = run(engine, graph, [x])
    np.testing.assert_allclose(result, evaluate(graph, x)["y"].reshape(3, 1), rtol=1e-6)


def in_order(x: np.ndarray) -> np.ndarray:
    """Return the sum of the last axis, one number after the other, each rounded."""
    total = np.zeros(x.shape[:-1], np.float32)
    for i in range(x.shape[-1]):
        total = total + x[..., i]
    return total


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "nchw"])
@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 7, 7), (5, 1, 64)], ids=str)
def test_sums_of_up_to_64_terms_are_taken_in_order(shape: tuple[int, int, int], engine: str) -> None:
    """The bits of common networks: their last images have at most that many pixels."""
    x = (np.random.default_rng(0).standard_normal((5, *shape)) + 3).astype(np.float32)
    total = in_order(x.reshape(5, shape[0], -1))
    for op in (GlobalAvgPool(), AvgPool(shape[1:]), ReduceMean((2, 3))):
        (result,) = run(engine, net(("y", op, "x"), x=shape), [x])
        np.testing.assert_array_equal(result, total / np.float32(shape[1] * shape[2]), err_msg=op.name)
    (result,) = run(engine, net(("y", ReduceSum((2, 3)), "x"), x=shape), [x])
    np.testing.assert_array_equal(result, total)
