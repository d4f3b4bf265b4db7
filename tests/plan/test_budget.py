"""What a plan may take: a small graph that asks for gigabytes is refused before anything is made."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from kernels.engines import execute
from small_graphs import net

from cnnfast.errors import CnnfastError, ConfigError, GraphError
from cnnfast.graph import Graph
from cnnfast.ops import AvgPool, Conv2d, GlobalMaxPool, MaxPool, Mul, Pad, Relu, Reshape, Resize, Transpose
from cnnfast.plan import make_plan
from cnnfast.runtime import config
from cnnfast.runtime.dispatch import kernels

LAYOUTS = ("chwn", "nchwc", "nchw")

HUGE = 1 << 20

GREEDY: dict[str, Callable[[], Graph]] = {
    "padding of a 1x1 convolution": lambda: net(("y", Conv2d(padding=9000), "x", "w"), w=(4, 3, 1, 1)),
    "padding, then a pool": lambda: net(
        ("c", Conv2d(padding=9000), "x", "w"), ("y", GlobalMaxPool(), "c"), w=(4, 3, 1, 1)
    ),
    "pad": lambda: net(("y", Pad(9000), "x")),
    "channels": lambda: net(("y", Pad(0, channels=(HUGE, HUGE)), "x"), x=(3, 32, 32)),
    "resize": lambda: net(("y", Resize(12000, "cubic"), "x")),
    "pool": lambda: net(("y", MaxPool(HUGE, 50, HUGE - 1), "x")),
    "average": lambda: net(("y", AvgPool(HUGE, 50, HUGE - 1), "x")),
    "rows": lambda: net(("y", Conv2d(padding=(HUGE, 200, HUGE, 200)), "x", "w"), w=(1, 3, 1, 1)),
    "turned": lambda: net(
        ("p", Pad(9000), "x"),
        ("r", Reshape((-1, 2, 9004, 2)), "p"),
        ("y", Transpose((0, 4, 3, 2, 1)), "r"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", GREEDY)
def test_a_few_bytes_do_not_ask_for_gigabytes(name: str, layout: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CnnfastError):
            make_plan(GREEDY[name](), layout)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("layout", ["chwn", "nchwc"])
def test_zeros_around_a_value_count(layout: str) -> None:
    """The result has nine pixels; the textbook kernel has no zeros in memory."""
    graph = net(("y", Conv2d(HUGE, HUGE), "x", "w"), w=(1, 3, 1, 1))
    with pytest.raises(GraphError, match="value 'x' with zeros around it would take"):
        make_plan(graph, layout)
    assert make_plan(graph, "nchw").shapes["y"] == (1, 3, 3)


def test_the_error_says_what_how_much_and_what_to_do() -> None:
    with pytest.raises(
        GraphError, match=r"node 'y' \(pad\) would take [0-9.]+ MiB .* at most 1\.0 MiB .* CNNFAST_MAX_BYTES=[0-9]+$"
    ):
        make_plan(net(("y", Pad(100), "x")), max_bytes=1 << 20)


def test_an_option_allows_more() -> None:
    graph = net(("y", Pad(500), "x"))
    with pytest.raises(GraphError, match="CNNFAST_MAX_BYTES"):
        make_plan(graph, max_bytes=1 << 20)
    assert make_plan(graph, max_bytes=1 << 29).max_bytes == 1 << 29


def test_the_environment_sets_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = net(("y", Pad(500), "x"))
    make_plan(graph)
    monkeypatch.setenv("CNNFAST_MAX_BYTES", "1000000")
    with pytest.raises(GraphError, match="CNNFAST_MAX_BYTES"):
        make_plan(graph)
    monkeypatch.delenv("CNNFAST_MAX_BYTES")
    assert config.max_bytes() == 1 << 30


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1GiB", "9" * 30, "\u0663"])
def test_a_limit_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFAST_MAX_BYTES", text)
    with pytest.raises(ConfigError, match="must be a positive number of bytes"):
        make_plan(net(("y", Relu(), "x")))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_graph_shares_its_plan_shares(layout: str) -> None:
    """Three hundred convolutions of one weight and one geometry, and as many products with one constant."""
    same = Conv2d(padding=1)
    nodes = [(f"c{i}", same, f"m{i - 1}" if i else "x", "w") for i in range(300)]
    products = [(f"m{i}", Mul(), f"c{i}", "k") for i in range(300)]
    mixed = [node for pair in zip(nodes, products, strict=True) for node in pair]
    plan = make_plan(
        net(*mixed, x=(16, 20, 20), w=np.eye(16)[:, :, None, None] * np.ones((3, 3)) / 9, k=(16, 20, 20)), layout
    )
    arrays = {
        id(array): array.nbytes
        for step in plan.steps
        for array in (*step.operands, *step.arrays(), *step.tables)
        if isinstance(array, np.ndarray)
    }
    assert sum(arrays.values()) < 4 * kernels.lanes() * 16 * 20 * 20 + (1 << 20)


def test_the_weights_of_the_network_do_not_count() -> None:
    """A matrix of four megabytes in a plan of one."""
    graph = net(
        ("r", Reshape((-1,)), "x"),
        ("c", Reshape((1024, 1, 1)), "r"),
        ("y", Conv2d(), "c", "w"),
        x=(1024,),
        w=(1024, 1024, 1, 1),
    )
    make_plan(graph, max_bytes=1 << 20)


def test_few_images_do_without_a_plan_of_their_own_where_it_would_be_too_large() -> None:
    """Transposes by tables take more memory for one image than the images of a group."""
    graph = net(
        *((f"y{i}", Transpose((0, 2 + i % 2, 1, 3 - i % 2)), f"y{i - 1}" if i else "x") for i in range(40)),
        x=(3, 60, 50),
    )
    plan = make_plan(graph, passes=(), max_bytes=2 << 20)
    assert plan.small_batch is None
    x = np.random.default_rng(0).standard_normal((1, 3, 60, 50)).astype(np.float32)
    (y,) = execute(plan, [x])
    assert np.sort(y).tolist() == np.sort(x.reshape(1, -1)).tolist()
