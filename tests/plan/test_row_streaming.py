"""row streaming gives the bits of layer by layer, whatever the shapes and however the rows and channels are divided."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.engines import FUSED, execute, using

from cnnfast.graph import Graph
from cnnfast.layers import AnyLayer, Conv2d, Relu, Relu6, Residual, build_graph
from cnnfast.plan import Plan, make_plan, row_streaming

LAYER_BY_LAYER = 1 << 60

RNG = np.random.default_rng(3)


def conv(channels: int, filters: int, kernel: int, **options: int) -> Conv2d:
    weight = RNG.standard_normal((filters, channels // options.get("groups", 1), kernel, kernel)).astype(np.float32)
    return Conv2d(weight, RNG.standard_normal(filters).astype(np.float32), **options)


def block(narrow: int, wide: int, out: int, kernel: int = 3, activation: type = Relu, **options: int) -> list[AnyLayer]:
    depthwise = conv(wide, wide, kernel, groups=wide, **options)
    return [conv(narrow, wide, 1), activation(), depthwise, activation(), conv(wide, out, 1)]


SHAPES: dict[str, tuple[list[AnyLayer], tuple[int, int, int]]] = {
    "plain": (block(3, 18, 4, padding=1), (3, 9, 7)),
    "residual": ([Residual(block(5, 20, 5, padding=1)), Relu()], (5, 8, 8)),
    "stride 2": (block(4, 16, 6, padding=1, stride=2), (4, 9, 10)),
    "stride larger than the kernel": (block(4, 12, 6, stride=4), (4, 15, 15)),
    "5x5, clip": (block(3, 13, 5, kernel=5, activation=Relu6, padding=2), (3, 7, 11)),
    "5x5, stride 2": (block(3, 13, 5, kernel=5, padding=2, stride=2), (3, 12, 11)),
    "no padding": (block(3, 13, 5), (3, 12, 8)),
    "more padding than rows": (block(3, 8, 5, padding=2), (3, 2, 2)),
    "one column": (block(3, 8, 5, kernel=1), (3, 6, 1)),
    "no expansion": ([Relu(), *block(6, 6, 4, padding=1)[2:]], (6, 9, 9)),
    "no activation": ([conv(3, 9, 1), conv(9, 9, 3, groups=9, padding=1), conv(9, 2, 1)], (3, 8, 9)),
    "read by a convolution with a border": ([*block(3, 9, 4, padding=1), Relu(), conv(4, 3, 3, padding=1)], (3, 8, 8)),
    "no expansion, two in a row": (
        [Relu(), *block(6, 6, 8, padding=1)[2:], Relu(), *block(8, 8, 4, padding=1)[2:]],
        (6, 9, 9),
    ),
    "two in a row": ([*block(3, 9, 4, padding=1), *block(4, 9, 4, padding=1)], (3, 8, 8)),
}


def plans(graph: Graph, monkeypatch: pytest.MonkeyPatch, ring_bytes: int, positions: int) -> tuple[Plan, Plan]:
    monkeypatch.setattr(row_streaming, "WIDE_BYTES", LAYER_BY_LAYER)
    plain = make_plan(graph)
    monkeypatch.setattr(row_streaming, "WIDE_BYTES", 0)
    monkeypatch.setattr(row_streaming, "RING_BYTES", (ring_bytes, ring_bytes))
    monkeypatch.setattr(row_streaming, "POSITIONS", positions)
    return plain, make_plan(graph)


@pytest.mark.parametrize("isa", FUSED)
@pytest.mark.parametrize(("ring_bytes", "positions"), [(1 << 30, 1), (1 << 30, 32), (1, 1), (20_000, 13)])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bits_are_those_of_layer_by_layer(
    shape: str, ring_bytes: int, positions: int, isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, source = SHAPES[shape]
    graph = build_graph(layers, source)
    images = RNG.standard_normal((5, *source)).astype(np.float32)
    with using(f"chwn-{isa}"):
        plain, divided = plans(graph, monkeypatch, ring_bytes, positions)
        assert any("row by row" in step.reason for step in divided.steps)
        assert not any("row by row" in step.reason for step in plain.steps)
        np.testing.assert_array_equal(execute(divided, [images])[0], execute(plain, [images])[0])


def test_what_lies_between_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build_graph(block(8, 64, 8, padding=1), (8, 64, 64))
    plain, divided = plans(graph, monkeypatch, ring_bytes=1 << 18, positions=32)
    wide = 64 * 64 * 64 * 4 * plain.lanes
    assert plain.arena_bytes > 2 * wide
    assert divided.arena_bytes < wide


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param([conv(6, 6, 3, groups=6)], id="nothing behind"),
        pytest.param([conv(6, 6, 3, groups=6), conv(6, 4, 3)], id="3x3 behind"),
        pytest.param([conv(6, 6, 3, groups=6), conv(6, 4, 1, stride=2)], id="a stride behind"),
        pytest.param([conv(6, 6, 3, groups=3), conv(6, 4, 1)], id="not depthwise"),
        pytest.param([conv(6, 6, 3, groups=6, dilation=2), conv(6, 4, 1)], id="dilation"),
        pytest.param([Residual([conv(6, 6, 3, groups=6, padding=1), Residual([conv(6, 6, 1)])])], id="two readers"),
    ],
)
def test_what_is_no_chain_runs_layer_by_layer(layers: list[AnyLayer], monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan = plans(build_graph(layers, (6, 8, 8)), monkeypatch, 1 << 20, 32)
    assert not any("row by row" in step.reason for step in plan.steps)


def test_small_values_run_layer_by_layer() -> None:
    small, large = (build_graph(block(3, 18, 4, padding=1), (3, size, size)) for size in (8, 64))
    assert not any("row by row" in step.reason for step in make_plan(small).steps)
    assert any("row by row" in step.reason for step in make_plan(large).steps)


def test_a_value_that_is_an_output_is_made_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build_graph(block(3, 18, 4, padding=1), (3, 8, 8))
    wide = graph.nodes[1].name
    both = Graph(graph.inputs, graph.nodes, graph.constants, (*graph.outputs, wide))
    plain, divided = plans(both, monkeypatch, 1 << 20, 32)
    images = RNG.standard_normal((3, 3, 8, 8)).astype(np.float32)
    for got, expected in zip(execute(divided, [images]), execute(plain, [images]), strict=True):
        np.testing.assert_array_equal(got, expected)
