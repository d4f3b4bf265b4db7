"""The transforms of Winograd: exact against direct convolution, and the formulas of the C code against both."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from kernels.engines import ENGINES, execute, using
from small_graphs import net

from cnnfast.ops import Conv2d, Relu
from cnnfast.plan import choose, make_plan
from cnnfast.plan.chwn import algorithms
from cnnfast.plan.winograd import OUTPUTS, transformed_blocks, transforms
from cnnfast.runtime.dispatch import kernels

LANES = [engine for engine in ENGINES if engine != "nchw"]


def exact(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix of fractions; those of Winograd have small denominators."""
    return np.vectorize(lambda v: Fraction(float(v)).limit_denominator(10_000), otypes=[object])(matrix)


def correlate(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the 4x4 pixels of one tile, written down."""
    k = len(w)
    y = [[(x[i : i + k, j : j + k] * w).sum() for j in range(OUTPUTS)] for i in range(OUTPUTS)]
    return np.array(y, object)


@pytest.mark.parametrize("kernel", [3, 5])
def test_transforms_are_exact(kernel: int) -> None:
    at, g, bt = map(exact, transforms(kernel))
    rng = np.random.default_rng(kernel)
    x = rng.integers(-9, 10, (kernel + 3, kernel + 3)).astype(object)
    w = rng.integers(-9, 10, (kernel, kernel)).astype(object)
    y = at @ ((g @ w @ g.T) * (bt @ x @ bt.T)) @ at.T
    assert (y == correlate(x, w)).all()


@pytest.mark.parametrize("isa", kernels.supported_isas())
@pytest.mark.parametrize("kernel", [3, 5])
def test_weights_are_transformed_in_float64(kernel: int, isa: str) -> None:
    """To the bit: each sum from its first term on, columns first, and one rounding at the end."""
    _, g, _ = transforms(kernel)
    for filters, channels, dtype in itertools.product((1, 2, 7, 8, 9, 16, 19), (1, 3), (np.float32, np.float64)):
        w = np.random.default_rng(0).standard_normal((filters, channels, kernel, kernel)).astype(dtype)
        with using(f"chwn-{isa}"):
            u = transformed_blocks(w, [0, filters])
        expected = spread(g, w)
        assert u.dtype == np.float32
        u = u.reshape(kernel + 3, kernel + 3, channels, filters).transpose(3, 2, 1, 0)
        np.testing.assert_array_equal(u, expected.astype(np.float32))
        np.testing.assert_allclose(expected[-1, -1], g @ w[-1, -1].astype(np.float64) @ g.T, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_weight_that_is_not_finite_stays_so_and_spoils_no_other(value: float) -> None:
    _, g, _ = transforms(3)
    w = np.random.default_rng(0).standard_normal((9, 2, 3, 3))
    w[4, 1, 1, 2] = value
    u = transformed_blocks(w, [0, 9]).reshape(6, 6, 2, 9).transpose(3, 2, 1, 0)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(u, spread(g, w).astype(np.float32))
    spoiled = ~np.isfinite(u).all(axis=(2, 3))
    assert np.argwhere(spoiled).tolist() == [[4, 1]]


def spread(g: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return G w G^T of each kernel, in float64."""
    rows = summed(g, weight.astype(np.float64))
    return summed(g, rows.swapaxes(2, 3)).swapaxes(2, 3)


def summed(g: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the products of a matrix and the vectors along the last axis, term after term."""
    total = g[:, 0] * values[..., :1]
    for k in range(1, g.shape[1]):
        total = total + g[:, k] * values[..., k : k + 1]
    return total


def common_denominator(kernel: int) -> int:
    """Return the number that makes all of G whole."""
    return math.lcm(*(value.denominator for value in exact(transforms(kernel)[1]).reshape(-1)))


@pytest.mark.parametrize("engine", LANES)
@pytest.mark.parametrize("size", [4, 7, 12], ids=["one tile", "cut tiles", "nine tiles"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_the_formulas_in_c_are_those_of_plan(
    monkeypatch: pytest.MonkeyPatch, kernel: int, size: int, engine: str
) -> None:
    """With whole numbers in all transforms of 5x5 no step rounds, so that the result must be that of a direct sum.

    What is allowed is the rounding of G itself, which is 1/24 and the like in float64. The factors of 3x3 are not all
    floats, so there results are off by some roundings; a wrong factor would show in the first digits.
    """
    monkeypatch.setattr(choose, "algorithm", lambda *shapes: (f"winograd4x{kernel}", "the test says so"))
    rng = np.random.default_rng(size)
    filters, channels, side = 5, 2, size + kernel - 1
    unit = common_denominator(kernel) ** 2 if kernel == 5 else 1
    weight = np.zeros((filters, channels, kernel, kernel))
    for f, c in np.ndindex(filters, channels):
        # two taps of each filter: sums stay below 2^24
        weight[f, c].reshape(-1)[rng.choice(kernel**2, 2, replace=False)] = [unit, -unit]
    x = rng.integers(-2, 3, (2, channels, side, side)).astype(np.float32)
    with using(engine) as layout:
        plan = make_plan(net(("y", Conv2d(), "x", "w"), x=(channels, side, side), w=weight), layout)
        assert f"conv2d_f32_{layout}_winograd4x{kernel}" in [step.kernel for step in plan.steps]
        (y,) = execute(plan, [x])
    expected = Conv2d().reference(x.astype(np.float64), weight)
    tolerance = 1e-9 if kernel == 5 else 2e-6 * np.abs(expected).max()
    np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("engine", [engine for engine in LANES if "nchwc" not in engine])
@pytest.mark.parametrize("kernel", [3, 5])
def test_columns_of_the_transform_in_turn_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, kernel: int, engine: str
) -> None:
    """Where transformed inputs exceed the cache all output channels go through one column after the other."""
    monkeypatch.setattr(choose, "algorithm", lambda *shapes: (f"winograd4x{kernel}", "the test says so"))
    rng = np.random.default_rng(kernel)
    x = rng.standard_normal((2, 5, 9, 9)).astype(np.float32)
    w, b = rng.standard_normal((10, 5, kernel, kernel)).astype(np.float32), rng.standard_normal(10).astype(np.float32)
    graph = net(("c", Conv2d(padding=kernel // 2), "x", "w", "b"), ("y", Relu(), "c"), x=(5, 9, 9), w=w, b=b)
    results, workspaces = [], []
    with using(engine) as layout:
        for filled in (1e9, 0):
            monkeypatch.setattr(algorithms, "FILLED", filled)
            plan = make_plan(graph, layout)
            (step,) = [step for step in plan.steps if "winograd" in step.kernel]
            assert step.ints["by_columns"] == (filled == 0)
            workspaces.append(step.workspace)
            results += execute(plan, [x])
    assert workspaces[0] < workspaces[1]
    np.testing.assert_array_equal(*results)
