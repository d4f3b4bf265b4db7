"""Whole networks on every engine: close to the reference, bit-identical wherever an image is, no stray access."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from kernels.engines import ENGINES, FUSED, execute, has_kernels, run, using
from kernels.guarded import guarded, guarded_plan
from random_graphs import random_graph, random_inputs, seeds
from small_graphs import net

from cnnfast.graph import Graph, evaluate
from cnnfast.ops import (
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    LeakyRelu,
    Linear,
    MaxPool,
    Op,
    Reduce,
    Relu,
    Silu,
    Softmax,
)
from cnnfast.plan import make_plan
from cnnfast.runtime.dispatch import kernels

EPS = float(np.finfo(np.float32).eps)

SLACK = 8.0
"""How much worse than NumPy in float32 an engine may be. Measured over 600 random graphs on four engines: 3.5."""

WINOGRAD_SLACK = 30.0
"""The same for networks that convolve by Winograd. Measured over 300 blocks: 11."""

BEST = f"chwn-{FUSED[-1]}" if FUSED else ENGINES[-1]

needs_fma = pytest.mark.skipif(not FUSED, reason="this CPU has no fused multiply-add")


def assert_close(graph: Graph, feed: dict[str, np.ndarray], engine: str, slack: float) -> None:
    """Fail unless every output is as good as what NumPy makes of the graph in float32, up to a factor.

    That yardstick knows how ill-conditioned a graph is, which no formula on its shapes does; a rounding of the largest
    output is added to it, because NumPy is exact where a graph only copies. Norms and reductions leave small
    differences of large values: in a graph that has them the rounding is that of its largest value. Where an output is
    one number or two, NumPy may be exact by luck: what a rounding of the inputs changes counts as well.
    """
    truth, yardstick = evaluate(graph, feed), evaluate(graph, feed, np.float32)
    rng = np.random.default_rng(0)
    rounded = evaluate(graph, {name: x * (1 + EPS / 2 * rng.choice([-1.0, 1.0], x.shape)) for name, x in feed.items()})
    results = run(engine, graph, list(feed.values()))
    subtracts = any(isinstance(node.op, LayerNorm | GroupNorm | Reduce) for node in graph.nodes)
    floor = EPS * max(float(np.abs(v).max()) for v in truth.values()) if subtracts else 0.0
    for name, result in zip(graph.outputs, results, strict=True):
        expected, single, near = (
            np.broadcast_to(v[name], (len(result), *graph.shapes[name])) for v in (truth, yardstick, rounded)
        )
        error = np.abs(result - expected.reshape(result.shape)).max()
        usual = max(np.abs(single - expected).max(), np.abs(near - expected).max())
        allowed = slack * (usual + max(floor, EPS * np.abs(expected).max()))
        assert error <= allowed, f"{name}: off by {error:.3g}, allowed {allowed:.3g}"


def wide_block(rng: np.random.Generator) -> Graph:
    """Return one convolution as wide as real ones, so that Winograd pays, with all that may be fused to it."""
    channels, filters = (int(n) for n in rng.integers(8, 25, 2))
    kernel = int(rng.choice([3, 5]))
    height, width = (int(n) for n in rng.integers(kernel, 20, 2))
    conv: Op = Conv2d(padding=tuple(int(p) for p in rng.integers(0, kernel // 2 + 1, 4)))
    weights = {
        "w": rng.standard_normal((filters, channels, kernel, kernel)) / math.sqrt(channels * kernel**2),
        "b": rng.standard_normal(filters),
        "v": rng.standard_normal((filters, channels, kernel, kernel)) / math.sqrt(channels * kernel**2),
    }
    nodes: list[tuple[str, Op, *tuple[str, ...]]] = [("conv", conv, "x", "w", "b")]
    if rng.random() < 0.5:
        nodes = [("other", conv, "x", "v"), *nodes, ("sum", Add(), "conv", "other")]
    acts: list[Activation] = [Relu(), LeakyRelu(-0.5), Gelu(), Silu()]
    if rng.random() < 0.7:
        nodes.append(("act", acts[rng.integers(len(acts))], nodes[-1][0]))
    size = conv.shape((channels, height, width), weights["w"].shape)
    if rng.random() < 0.5 and min(size[1:]) >= 2:
        nodes.append(("pool", MaxPool(2, ceil_mode=bool(rng.random() < 0.5)), nodes[-1][0]))
    return net(*nodes, x=(channels, height, width), outputs="", **weights)


def resnet() -> Graph:
    """Two residual blocks, one of them with a strided shortcut, and a head."""
    same, down = Conv2d(padding=1), Conv2d(stride=2, padding=1)
    norm = ("s", "s", "s", "v")
    return net(
        *(("stem", same, "x", "w0"), ("norm0", BatchNorm(), "stem", *norm), ("relu0", Relu(), "norm0")),
        *(("conv1", same, "relu0", "w1"), ("norm1", BatchNorm(), "conv1", *norm), ("relu1", Relu(), "norm1")),
        *(("conv2", same, "relu1", "w2"), ("norm2", BatchNorm(), "conv2", *norm)),
        *(("sum1", Add(), "norm2", "relu0"), ("relu2", Relu(), "sum1")),
        *(("conv3", down, "relu2", "w3"), ("relu3", Relu(), "conv3"), ("conv4", same, "relu3", "w4")),
        *(("short", Conv2d(stride=2), "relu2", "w5"), ("sum2", Add(), "conv4", "short"), ("relu4", Relu(), "sum2")),
        *(("gap", GlobalAvgPool(keep_dims=False), "relu4"), ("fc", Linear(), "gap", "w6"), ("y", Softmax(), "fc")),
        x=(3, 17, 14),
        **{f"w{i}": weight(i, 16, 16, 3) for i in (1, 2, 4)},
        w0=weight(0, 16, 3, 3),
        w3=weight(3, 16, 16, 3),
        w5=weight(5, 16, 16, 1),
        w6=weight(6, 10, 16, 1)[:, :, 0, 0],
        s=np.linspace(0.5, 1.5, 16),
        v=np.linspace(0.5, 2, 16),
    )


def cs61c() -> Graph:
    """The CS61C network with random weights: 5x5 Winograd with fused pools, and a direct layer at the end."""
    same, half = Conv2d(padding=2), MaxPool(2)
    return net(
        *(("conv1", same, "x", "w1"), ("relu1", Relu(), "conv1"), ("pool1", half, "relu1")),
        *(("conv2", same, "pool1", "w2"), ("relu2", Relu(), "conv2"), ("pool2", half, "relu2")),
        *(("conv3", same, "pool2", "w3"), ("relu3", Relu(), "conv3"), ("pool3", half, "relu3")),
        *(("flat", Flatten(), "pool3"), ("fc", Linear(), "flat", "w4"), ("y", Softmax(), "fc")),
        x=(3, 32, 32),
        w1=weight(1, 16, 3, 5),
        w2=weight(2, 20, 16, 5),
        w3=weight(3, 20, 20, 5),
        w4=weight(4, 10, 320, 1)[:, :, 0, 0],
    )


def weight(seed: int, filters: int, channels: int, kernel: int) -> np.ndarray:
    """Return weights that keep the size of activations."""
    values = np.random.default_rng(seed).standard_normal((filters, channels, kernel, kernel))
    return values * math.sqrt(2 / (channels * kernel**2))


NETWORKS = {"resnet": resnet, "cs61c": cs61c}


@pytest.mark.parametrize("engine", ENGINES)
@given(seed=seeds())
def test_random_graphs_are_close_to_the_reference(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5))
    assume(has_kernels(engine, graph))
    assert_close(graph, random_inputs(graph, rng, images=3), engine, SLACK)


@pytest.mark.parametrize("engine", ENGINES)
@given(seed=seeds())
def test_wide_blocks_are_close_to_the_reference(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wide_block(rng)
    assert_close(graph, random_inputs(graph, rng, images=2), engine, SLACK if engine == "nchw" else WINOGRAD_SLACK)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_close_to_the_reference(name: str, engine: str) -> None:
    graph = NETWORKS[name]()
    feed = random_inputs(graph, np.random.default_rng(0), images=5)
    assert_close(graph, feed, engine, SLACK if engine == "nchw" else WINOGRAD_SLACK)
    (expected,), (result,) = (
        (evaluate(graph, feed)[name] for name in graph.outputs),
        run(engine, graph, [*feed.values()]),
    )
    assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()


def test_wide_blocks_reach_winograd_with_and_without_everything_fused() -> None:
    """The search above is worth something only if its graphs take these ways."""
    seen = set()
    for seed in range(100):
        for step in make_plan(wide_block(np.random.default_rng(seed))).steps:
            seen.add((step.kernel, "pool fused" in step.reason, "add fused" in step.reason))
    for kernel in ("conv2d_f32_chwn_winograd4x3", "conv2d_f32_chwn_winograd4x5"):
        assert {(kernel, False, False), (kernel, True, False), (kernel, False, True)} <= seen


def equal(parts: list[np.ndarray], whole: list[np.ndarray], where: slice, note: str = "") -> None:
    """Fail unless results are bit-identical to a part of other results."""
    for part, full in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(part.view(np.int32), full[where].view(np.int32), err_msg=note)


def assert_bits_do_not_depend_on_anything(graph: Graph, rng: np.random.Generator) -> None:
    """Run a graph in batches of several sizes and places, on two threads, and on every instruction set with FMA."""
    images = 3 * 16 + 1
    feed = list(random_inputs(graph, rng, images).values())
    with using(BEST) as layout:
        plan = make_plan(graph, layout)
        whole = execute(plan, feed)
        equal(execute(plan, feed, threads=2), whole, slice(None), "two threads")
        for size in (1, *map(int, rng.choice(np.arange(2, images), 3, replace=False))):
            first = int(rng.integers(0, images - size + 1))
            where = slice(first, first + size)
            equal(execute(plan, [x[where] for x in feed]), whole, where, f"{size} images from {first}")
        backwards = [x[::-1] for x in feed]
        equal([y[::-1] for y in execute(plan, backwards)], whole, slice(None), "backwards")
    for isa in FUSED[:-1]:
        equal(run(f"chwn-{isa}", graph, feed), whole, slice(None), isa)
    for isa in FUSED if has_kernels(f"nchwc-{FUSED[-1]}", graph) else ():
        equal(run(f"nchwc-{isa}", graph, [x[:3] for x in feed]), whole, slice(3), f"channels in the lanes, {isa}")


@needs_fma
@settings(max_examples=30)
@given(seed=seeds())
def test_equal_bits_on_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert_bits_do_not_depend_on_anything(random_graph(rng, any_rank=bool(rng.random() < 0.5)), rng)


@needs_fma
@settings(max_examples=20)
@given(seed=seeds())
def test_equal_bits_on_wide_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert_bits_do_not_depend_on_anything(wide_block(rng), rng)


@needs_fma
@pytest.mark.parametrize("name", NETWORKS)
def test_equal_bits_in_every_batch_size(name: str) -> None:
    graph = NETWORKS[name]()
    for isa in FUSED:
        with using(f"chwn-{isa}") as layout:
            images = 3 * kernels.lanes() + 1
            (feed,) = random_inputs(graph, np.random.default_rng(1), images).values()
            plan = make_plan(graph, layout)
            whole = execute(plan, [feed])
            for size in range(1, images):
                equal(execute(plan, [feed[-size:]]), whole, slice(-size, None), f"{isa}, {size} images")


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25)
@given(seed=seeds())
def test_nothing_left_in_the_arena_is_ever_read(engine: str, seed: int) -> None:
    """The first group fills the arena with NaN; the second one runs in the same arena."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5)) if rng.random() < 0.7 else wide_block(rng)
    assume(has_kernels(engine, graph))
    with using(engine) as layout:
        plan = make_plan(graph, layout)
        clean = list(random_inputs(graph, rng, plan.group).values())
        expected = execute(plan, clean)
        dirty = [np.concatenate([np.full_like(x, np.nan), x]) for x in clean]
        equal([y[plan.group :] for y in execute(plan, dirty, threads=1)], expected, slice(None))


@pytest.mark.parametrize("at_end", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=8)
@given(seed=seeds())
def test_no_access_beyond_images_weights_tables_and_results(engine: str, at_end: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, any_rank=bool(rng.random() < 0.5)) if rng.random() < 0.6 else wide_block(rng)
    assume(has_kernels(engine, graph))
    guard = partial(guarded, at_end=at_end)
    with using(engine) as layout:
        plan = make_plan(graph, layout)
        for images in (1, plan.group + 1):
            feed = [x.reshape(*x.shape, *(1,) * (4 - x.ndim)) for x in random_inputs(graph, rng, images).values()]
            expected = execute(plan, feed)
            results = [guard(np.full_like(y, np.nan)) for y in expected]
            guarded_plan(plan, at_end).program.run([guard(x) for x in feed], results, 1, None)
            equal(results, expected, slice(None))


@pytest.mark.parametrize("at_end", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(3, 5, 33), (3, 2, 16), (3, 1, 1), (1, 4, 17)], ids=str)
def test_no_access_beyond_pictures(shape: tuple[int, int, int], engine: str, at_end: bool) -> None:
    """Bytes are read sixteen at a time where they are interleaved."""
    c, h, w = shape
    graph = net(("y", Relu(), "x"), x=shape)
    factor, shift = np.linspace(0.5, 1.5, c, dtype=np.float32), np.linspace(-9, 9, c, dtype=np.float32)
    for images in (1, 2, 17):
        pixels = np.random.default_rng(0).integers(0, 256, (images, h, w, c), dtype=np.uint8)
        with using(engine) as layout:
            (y,) = execute(
                make_plan(graph, layout), [guarded(pixels, at_end).transpose(0, 3, 1, 2)], 1, (factor, shift)
            )
        values = pixels.astype(np.float64) * factor.astype(np.float64) + shift.astype(np.float64)
        expected = np.maximum(values, 0).transpose(0, 3, 1, 2).reshape(images, -1)
        np.testing.assert_allclose(y, expected, rtol=0, atol=2 * EPS * 400)
