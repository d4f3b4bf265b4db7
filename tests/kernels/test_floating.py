"""The floating-point mode: denormals are flushed inside of a call, and unchanged outside of it."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from kernels.engines import ENGINES, FUSED, run
from small_graphs import net
from systems import FLUSHES

from cnnfast import Network
from cnnfast.graph import Graph
from cnnfast.layers import Linear, Relu
from cnnfast.ops import Add, Concat, Conv2d, MaxPool
from cnnfast.ops import Linear as LinearOp
from cnnfast.ops import Relu as ReluOp

SMALLEST = np.finfo(np.float32).smallest_normal

flushing = pytest.mark.skipif(not FLUSHES, reason="this CPU has no mode in which denormals are zeros")


def passing() -> Graph:
    """A graph of which some ops only pass values on: maxima, copies, a comparison."""
    return net(
        ("pool", MaxPool((2, 2)), "x"),
        ("relu", ReluOp(), "x"),
        ("both", Concat(1), "x", "relu"),
        x=(3, 4, 4),
        outputs="pool relu both",
    )


def tiny() -> np.ndarray:
    """Values of both signs on both sides of the smallest normal number."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], (40, 3, 4, 4))
    return (signs * SMALLEST * 2 ** rng.uniform(-22, 3, signs.shape)).astype(np.float32)


@flushing
@pytest.mark.parametrize("engine", ENGINES)
def test_a_denormal_counts_as_zero_even_where_values_are_only_passed_on(engine: str) -> None:
    x = tiny()
    flushed = np.where(np.abs(x) < SMALLEST, np.float32(0), x)
    pooled = flushed.reshape(40, 3, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).max(axis=(4, 5))
    relu = np.maximum(flushed, 0)
    for result, expected in zip(run(engine, passing(), [x]), (pooled, relu), strict=False):
        np.testing.assert_array_equal(result.reshape(expected.shape), expected)


def fading() -> Graph:
    """A network whose values fade from layer to layer until they are denormal, and beyond."""
    rng = np.random.default_rng(1)
    weights = {
        f"w{i}": (rng.standard_normal((6, 3 if i == 0 else 6, 3, 3)) * 1.2e-13).astype(np.float32) for i in range(3)
    }
    return net(
        ("c0", Conv2d(padding=(1, 1, 1, 1)), "x", "w0"),
        ("c1", Conv2d(padding=(1, 1, 1, 1)), "c0", "w1"),
        ("c2", Conv2d(padding=(1, 1, 1, 1), stride=(2, 2)), "c1", "w2"),
        ("sum", Add(), "c2", "c2"),
        outputs="c1 c2 sum",
        **weights,
    )


@flushing
def test_a_fading_network_has_equal_bits_on_every_instruction_set_with_fma() -> None:
    x = np.random.default_rng(2).standard_normal((20, 3, 8, 8)).astype(np.float32)
    results = [run(f"chwn-{isa}", fading(), [x]) for isa in FUSED]
    if not results:
        pytest.skip("this CPU has no fused multiply-add")
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first.view(np.int32), second.view(np.int32))
    for values in results[0]:
        assert not ((values != 0) & (np.abs(values) < SMALLEST)).any()
    last = results[0][1]
    assert last.any(), "some values must not have faded yet"
    assert not last.all(), "and others must"


@pytest.fixture
def libm() -> Iterator[ctypes.CDLL]:
    """The C library's view of the floating-point mode, which is as before when the test has ended."""
    if not sys.platform.startswith("linux") or platform.machine() not in CONSTANTS:
        pytest.skip("the constants of <fenv.h> are those of Linux, and of the CPUs in CONSTANTS")
    library = ctypes.CDLL("libm.so.6")
    before = library.fegetround()
    yield library
    library.fesetround(before)
    library.feclearexcept(ALL_FLAGS)


CONSTANTS = {"x86_64": (0x800, 0x3D, 0x04), "aarch64": (0x400000, 0x1F, 0x02), "riscv64": (3, 0x1F, 0x08)}
UPWARD, ALL_FLAGS, DIVBYZERO = CONSTANTS.get(platform.machine(), (0, 0, 0))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_mode_of_the_caller_is_neither_used_nor_changed(libm: ctypes.CDLL, threads: int) -> None:
    rng = np.random.default_rng(3)
    network = Network.from_layers([Linear(rng.standard_normal((5, 64))), Relu()], (64,))
    x = rng.standard_normal((99, 64)).astype(np.float32)
    expected = network.forward(x, threads=1)
    network.forward(x, threads=threads)
    small, result = np.full(4, 1e-40, np.float32), np.empty((99, 5), np.float32)
    libm.fesetround(UPWARD)
    libm.feclearexcept(ALL_FLAGS)
    libm.feraiseexcept(DIVBYZERO)
    network.forward(x, threads=threads, out=result)
    flags, rounding = libm.fetestexcept(ALL_FLAGS), libm.fegetround()
    libm.fesetround(0)
    assert rounding == UPWARD
    assert flags & DIVBYZERO
    np.testing.assert_array_equal(result.view(np.int32), expected.view(np.int32))
    assert (small * np.float32(1)).all(), "denormals of the caller are still computed"


def test_flags_of_exceptions_stay_as_they_were(libm: ctypes.CDLL) -> None:
    """Overflow, division and inexact results inside of a call are not the caller's."""
    network = Network.from_layers([Linear(np.full((2, 4), 3e38, np.float32))], (4,))
    x, out = np.full((1, 4), 3.3, np.float32), np.empty((1, 2), np.float32)
    fast = network.compile(batch=1, threads=1, raw=True)
    fast(x, out)
    libm.feclearexcept(ALL_FLAGS)
    fast(x, out)
    flags = libm.fetestexcept(ALL_FLAGS)
    assert np.isinf(out).all()
    assert flags == 0


@flushing
def test_tiny_weights_in_a_dense_layer_are_zeros() -> None:
    graph = net(("y", LinearOp(), "x", "w"), x=(4,), w=np.full((2, 4), 1e-41, np.float32))
    assert not Network.from_graph(graph).forward(np.full((1, 4), 1e30, np.float32)).any()
