"""The vectorized exp, expm1, log, tanh, erf and sigmoid of csrc/math.inc, and how far off they are.

They are reached the way a network reaches them: through activations, softmax and local response norm. An error is
counted in units in the last place (ulp) of a scale, which is the result itself wherever nothing cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from kernels.engines import FUSED, run
from systems import FLUSHES

from cnnfast.graph import Graph, Node
from cnnfast.ops import (
    Activation,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LogSoftmax,
    Lrn,
    Op,
    Sigmoid,
    Silu,
    Softmax,
    Tanh,
)
from cnnfast.runtime.dispatch import kernels

LANES = [f"chwn-{isa}" for isa in kernels.supported_isas()]
SMALLEST = float(np.finfo(np.float32).smallest_normal)

Scale = Callable[[np.ndarray, np.ndarray], np.ndarray]


def of_result(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A relative error."""
    return np.abs(y)


def of_argument(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For ``x * gate(x)``: the gate is rounded near 0 and 1, which are absolute."""
    return np.abs(x)


def of_one(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For results in 0 to 1 that come from a subtraction."""
    return np.ones_like(x)


@dataclass(frozen=True)
class Claim:
    """The largest error of an op, in ulp of a scale; results below ``fade`` may be zero instead.

    Below the smallest normal number all are: denormals are flushed.
    """

    op: Activation
    ulp: float
    measured: float
    scale: Scale = of_result
    fade: float = SMALLEST

    def __str__(self) -> str:
        return repr(self.op)


CLAIMS = (
    Claim(Sigmoid(), 2.5, 2.21),
    Claim(Tanh(), 1.5, 1.27),
    Claim(Elu(), 1.5, 1.16),
    Claim(Elu(0.5), 1.5, 1.16),
    Claim(Silu(), 3.75, 3.36, fade=128 * SMALLEST),
    Claim(Gelu(), 2.0, 1.39, of_argument),
    Claim(Gelu("tanh"), 2.0, 1.37, of_argument),
    Claim(HardSigmoid(), 1.0, 0.33, of_one),
    Claim(HardSwish(), 1.5, 1.16, of_argument),
)
"""``measured`` is the largest error of any instruction set over `grid`; what is asserted leaves a little room."""


@cache
def grid() -> np.ndarray:
    """Numbers of every exponent, denormals included, and more where the functions bend and where branches meet."""
    every = np.arange(0, 2**32, 65537 * 31, dtype=np.uint64).astype(np.uint32).view(np.float32)
    lines = [np.linspace(-end, end, 20_001) for end in (0.02, 1.2, 5, 20, 110)]
    meets = np.array([0.5, 0.625, 1, 4, 4 * 2**0.5, 88, 88.7228, 88.8, 89, 103.9, 104, 3.4e38, SMALLEST, 1e-45, 0])
    near = [np.nextafter(meets.astype(np.float32), np.float32(side)) for side in (-np.inf, np.inf)]
    parts = [every, *lines, meets, -meets, *near, *(-a for a in near)]
    x = np.concatenate([np.asarray(part, np.float32) for part in parts])
    return np.unique(x[np.isfinite(x)])


def apply(engine: str, op: Op, x: np.ndarray, row: int = 512) -> np.ndarray:
    """Return an op of one element over any number of them."""
    images = np.concatenate([x, np.zeros(-len(x) % row, np.float32)]).reshape(-1, row)
    (y,) = run(engine, alone(op, (row,)), [images])
    return y.reshape(-1)[: len(x)]


def alone(op: Op, shape: tuple[int, ...]) -> Graph:
    """Return the graph of one op."""
    return Graph({"x": shape}, (Node("y", op, ("x",)),), {}, ("y",))


def truth(op: Op, x: np.ndarray) -> np.ndarray:
    """Return the reference in float64."""
    with np.errstate(all="ignore"):
        return op.reference(x.astype(np.float64))


def ulps(y: np.ndarray, expected: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return errors in units in the last place of a scale; an overflow where float32 overflows is not an error."""
    with np.errstate(all="ignore"):
        error = np.abs(y.astype(np.float64) - expected)
        error[(y == expected.astype(np.float32))] = 0
        unit = np.spacing(np.maximum(scale, SMALLEST).astype(np.float32)).astype(np.float64)
    return error / unit


@pytest.mark.parametrize("engine", LANES)
@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_error_is_as_stated(claim: Claim, engine: str) -> None:
    x = grid()
    expected, y = truth(claim.op, x), apply(engine, claim.op, x)
    assert not np.isnan(y).any()
    errors = ulps(y, expected, claim.scale(x.astype(np.float64), expected))
    errors[(y == 0) & (np.abs(expected) <= claim.fade)] = 0
    worst = int(errors.argmax())
    assert errors[worst] <= claim.ulp, f"{errors[worst]:.2f} ulp at {x[worst]!r}: {y[worst]!r}, not {expected[worst]!r}"


@pytest.mark.parametrize("engine", LANES)
@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_infinities_and_nan_are_those_of_the_reference(claim: Claim, engine: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0, -0.0], np.float32)
    np.testing.assert_array_equal(apply(engine, claim.op, x), truth(claim.op, x).astype(np.float32))


@pytest.mark.parametrize("op", [c.op for c in CLAIMS], ids=repr)
def test_equal_bits_on_every_instruction_set_with_fma(op: Op) -> None:
    first, *others = [apply(f"chwn-{isa}", op, grid()).view(np.int32) for isa in FUSED] or [None]
    for other in others:
        np.testing.assert_array_equal(first, other)


def pairs() -> np.ndarray:
    """Two scores, the smaller one by 0 to 110: the argument of exp in a softmax."""
    gap = np.linspace(0, 110, 30_001, dtype=np.float32)
    return np.stack([np.zeros_like(gap), -gap], axis=1)


@pytest.mark.parametrize("engine", LANES)
def test_exp_in_softmax(engine: str) -> None:
    """Measured: 1.9 ulp where the result is a normal number, 0 where it is not."""
    x = pairs()
    expected = truth(Softmax(), x)
    (y,) = run(engine, alone(Softmax(), (2,)), [x])
    faded = expected < SMALLEST
    assert ulps(y, expected, expected)[~faded].max() <= 2.5
    assert y[faded].max() <= SMALLEST
    if FLUSHES:
        assert (y[faded] == 0).sum() >= faded.sum() - 1


@pytest.mark.parametrize("engine", LANES)
def test_log_in_log_softmax(engine: str) -> None:
    """Measured: 1.2 ulp of the largest element of a row, between 2 and 300 elements that make log run from 0 to 5.7."""
    for count in (2, 3, 10, 300):
        x = (np.random.default_rng(count).standard_normal((999, count)) * 8).astype(np.float32)
        expected = truth(LogSoftmax(), x)
        (y,) = run(engine, alone(LogSoftmax(), (count,)), [x])
        assert ulps(y, expected, np.abs(expected).max(axis=1, keepdims=True)).max() <= 2


@pytest.mark.parametrize("engine", LANES)
@pytest.mark.parametrize("op", [Softmax(), LogSoftmax()], ids=repr)
def test_softmax_of_what_is_not_finite(op: Op, engine: str) -> None:
    nan, inf = np.nan, np.inf
    rows = [[nan, 0, 1], [inf, 0, 1], [-inf, 0, 0], [-inf] * 3, [3e38, -3e38, 0], [0, 1, nan], [1e-45, 0, -1e-45]]
    x = np.array(rows, np.float32)
    (y,) = run(engine, alone(op, (3,)), [x])
    with np.errstate(all="ignore"):
        expected = op.reference(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(y, expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize("engine", LANES)
@pytest.mark.parametrize("beta", [0.5, 0.75, 2.0])
def test_power_in_local_response_norm(engine: str, beta: float) -> None:
    """``exp(-beta * log(energy))``: errors of the exponent count as many ulp as it is large. Measured: 0.94 of this."""
    op = Lrn(1, 1.0, beta, 1e-30)
    x = np.exp(np.linspace(-10, 10, 4096)).astype(np.float32)[:, None, None, None]
    expected = truth(op, x)
    (y,) = run(engine, alone(op, (1, 1, 1)), [x])
    exponent = beta * np.abs(np.log(x.astype(np.float64) ** 2 + 1e-30))
    assert (ulps(y.reshape(x.shape), expected, expected) / (3 + 2 * exponent)).max() <= 1
