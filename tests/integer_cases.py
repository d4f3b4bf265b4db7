"""The table of graphs of integers: one for each way through the kernels of bytes, with the reason for it.

Floats come in, bytes and sums are in between, and floats go out, so that each graph runs as any network does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Op, Shape
from cnnfast.ops import quantized as q


@dataclass(frozen=True)
class IntegerCase:
    """A graph of integers, and why it is in the table."""

    id: str
    make: Callable[[], Graph]
    reason: str

    def __str__(self) -> str:
        return self.id

    def graph(self) -> Graph:
        """Return the graph; its output is ``out``."""
        return self.make()

    def feed(self, images: int) -> dict[str, Array]:
        """Return random floats for each input, so wide that some bytes saturate."""
        rng = np.random.default_rng(len(self.id))
        shapes = self.graph().inputs.items()
        return {name: (1.2 * rng.standard_normal((images, *shape))).astype(np.float32) for name, shape in shapes}


ZERO, SCALE = 100, 0.02
"""Of every quantized input."""


def layer(weight: Shape, op: Op, seed: int = 0) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the constants of a layer, such that its bytes spread over the whole range; and their names."""
    rng = np.random.default_rng(seed)
    products = int(np.prod(weight[1:]))
    unit = rng.uniform(0.5, 2, weight[0]) * 0.03 * 60 / (np.sqrt(products) * 74 * 74)
    bias = rng.integers(-9999, 9999, weight[0])
    constants = {
        "w": rng.integers(-127, 128, weight).astype(np.int8),
        "b": bias.astype(np.int32),
        "u": unit.astype(np.float32),
    }
    return constants, ("w", "b", "u")


def layer_graph(
    x: Shape, weight: Shape, op: Op, end: str = "bytes", pool: ops.MaxPool | None = None, zero: int = 40, **limits: int
) -> Graph:
    """Return a graph of one layer whose sums become bytes, bytes with others added, or floats."""
    constants, _ = layer(weight, op)
    inputs, nodes = {"x": x}, [Node("q", q.Quantize(SCALE, ZERO), ("x",)), Node("s", op, ("q", "w", "b"))]
    if end == "floats":
        nodes.append(Node("out", q.DequantizeSums(), ("s", "u")))
        return Graph(inputs, tuple(nodes), constants, ("out",))
    if end == "added":
        inputs["r"] = op.shape(x, weight, weight[:1])
        nodes.insert(0, Node("rq", q.Quantize(0.025, 7), ("r",)))
        nodes.append(Node("y", q.RequantizeAdd(0.03, zero, 0.025, 7, **limits), ("s", "rq", "u")))
    else:
        nodes.append(Node("y", q.Requantize(0.03, zero, **limits), ("s", "u")))
    if pool:
        nodes.append(Node("pool", pool, ("y",)))
    nodes.append(Node("out", q.Dequantize(0.03, zero), (nodes[-1].name,)))
    return Graph(inputs, tuple(nodes), constants, ("out",))


def conv(id: str, reason: str, x: Shape, oc: int, kernel: tuple[int, int], **options: Any) -> IntegerCase:
    """Return the case of a convolution."""
    of_graph = {name: options.pop(name) for name in ("end", "pool", "zero", "low", "high") if name in options}
    op = q.IntegerConv2d(ZERO, **options)
    weight = (oc, x[0] // op.groups, *kernel)
    return IntegerCase(f"conv-{id}", lambda: layer_graph(x, weight, op, **of_graph), reason)


def linear(id: str, reason: str, features: int, outputs: int, **options: Any) -> IntegerCase:
    """Return the case of a dense layer."""
    make = lambda: layer_graph((features,), (outputs, features), q.IntegerLinear(ZERO), **options)  # noqa: E731
    return IntegerCase(f"linear-{id}", make, reason)


def chain(id: str, reason: str, x: Shape, *steps: tuple[Op, dict[str, Array]]) -> IntegerCase:
    """Return the case of ops on bytes, one after the other; each with the constants that it reads."""

    def make() -> Graph:
        nodes, constants = [Node("q", q.Quantize(SCALE, ZERO), ("x",))], {}
        for index, (op, reads) in enumerate(steps):
            names = tuple(f"{name}{index}" for name in reads)
            constants.update(zip(names, reads.values(), strict=True))
            nodes.append(Node(f"y{index}", op, (nodes[-1].name, *names)))
        nodes.append(Node("out", q.Dequantize(0.03, 50), (nodes[-1].name,)))
        return Graph({"x": x}, tuple(nodes), constants, ("out",))

    return IntegerCase(id, make, reason)


def pair(id: str, reason: str, op: Op, a: Shape, b: Shape) -> IntegerCase:
    """Return the case of an op on two values."""

    def make() -> Graph:
        nodes = (
            Node("qa", q.Quantize(SCALE, ZERO), ("a",)),
            Node("qb", q.Quantize(0.03, 31), ("b",)),
            Node("y", op, ("qa", "qb")),
            Node("out", q.Dequantize(0.05, 60), ("y",)),
        )
        return Graph({"a": a, "b": b}, nodes, {}, ("out",))

    return IntegerCase(id, make, reason)


def entries(channels: int | None = None) -> dict[str, Array]:
    """Return the table of a lookup, for all channels or for each."""
    shape = (256,) if channels is None else (channels, 256)
    return {"table": np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)}


def branches(op: Op, *channels: int, size: tuple[int, int] = (3, 5)) -> Callable[[], Graph]:
    """Return a function that makes a graph that joins values of these numbers of channels."""

    def make() -> Graph:
        names = [f"x{i}" for i in range(len(channels))]
        nodes = [Node(f"q{n}", q.Quantize(SCALE, ZERO), (n,)) for n in names]
        nodes += [Node("y", op, tuple(n.name for n in nodes)), Node("out", q.Dequantize(0.03, 50), ("y",))]
        return Graph({n: (c, *size) for n, c in zip(names, channels, strict=True)}, tuple(nodes), {}, ("out",))

    return make


def flattened(channels: int) -> Graph:
    """Return a convolution, a pool and a dense layer on the flattened image."""
    rng = np.random.default_rng(2)
    constants, _ = layer((channels, 3, 3, 3), q.IntegerConv2d(ZERO))
    constants |= {
        "w2": rng.integers(-127, 128, (10, channels * 3 * 4)).astype(np.int8),
        "b2": rng.integers(-999, 999, 10).astype(np.int32),
        "u2": np.full(10, 3e-5, np.float32),
    }
    nodes = (
        Node("q", q.Quantize(SCALE, ZERO), ("x",)),
        Node("s", q.IntegerConv2d(ZERO, padding=1), ("q", "w", "b")),
        Node("y", q.Requantize(0.03, 40, low=40), ("s", "u")),
        Node("pool", ops.MaxPool(2), ("y",)),
        Node("flat", ops.Flatten(), ("pool",)),
        Node("s2", q.IntegerLinear(40), ("flat", "w2", "b2")),
        Node("logits", q.DequantizeSums(), ("s2", "u2")),
        Node("out", ops.Softmax(), ("logits",)),
    )
    return Graph({"x": (3, 7, 8)}, nodes, constants, ("out",))


def gap() -> Graph:
    """Return a dense layer on a flattened image of 16 pixels."""
    constants, _ = layer((10, 8 * 16), q.IntegerLinear(ZERO))
    nodes = (
        Node("q", q.Quantize(SCALE, ZERO), ("x",)),
        Node("flat", ops.Flatten(), ("q",)),
        Node("s", q.IntegerLinear(ZERO), ("flat", "w", "b")),
        Node("out", q.DequantizeSums(), ("s", "u")),
    )
    return Graph({"x": (8, 4, 4)}, nodes, constants, ("out",))


def residual() -> Graph:
    """Return a residual block: what is added is read by a convolution beyond its edges, too."""
    constants, _ = layer((8, 8, 3, 3), q.IntegerConv2d(ZERO))
    constants |= {f"{name}2": array for name, array in layer((8, 8, 3, 3), q.IntegerConv2d(ZERO), seed=1)[0].items()}
    nodes = (
        Node("q", q.Quantize(SCALE, ZERO), ("x",)),
        Node("s", q.IntegerConv2d(ZERO, padding=1), ("q", "w", "b")),
        Node("y", q.Requantize(0.03, 0), ("s", "u")),
        Node("s2", q.IntegerConv2d(0, padding=1), ("y", "w2", "b2")),
        Node("z", q.RequantizeAdd(0.03, 5, SCALE, ZERO, low=5), ("s2", "q", "u2")),
        Node("mean", q.QuantizedGlobalAvgPool(0.01, 3, x_scale=0.03, x_zero=5), ("z",)),
        Node("out", q.Dequantize(0.01, 3), ("mean",)),
    )
    return Graph({"x": (8, 6, 5)}, nodes, constants, ("out",))


def mean(**options: Any) -> q.QuantizedAvgPool:
    """Return an average pool."""
    return q.QuantizedAvgPool(0.03, 50, x_scale=SCALE, x_zero=ZERO, **options)


ADD = q.QuantizedAdd(0.05, 60, a_scale=SCALE, a_zero=ZERO, b_scale=0.03, b_zero=31)
MUL = q.QuantizedMul(0.05, 60, a_scale=SCALE, a_zero=ZERO, b_scale=0.03, b_zero=31, low=9, high=200)
POOL = ops.MaxPool(2)

INTEGER_CASES = (
    conv("3x3", "whole blocks", (8, 6, 6), 8, (3, 3), padding=1),
    conv("odd", "channels that fill no block, positions that fill no tile", (3, 5, 7), 5, (3, 3), padding=1),
    conv("no-zero", "nothing to add or to cut", (8, 6, 6), 8, (3, 3), padding=1, zero=0),
    conv("limits", "limits inside of the bytes", (8, 6, 6), 8, (3, 3), padding=1, low=50, high=180),
    conv("stride", "stride and dilation", (5, 9, 11), 7, (3, 3), stride=2, dilation=2, padding=2),
    conv("5x5", "padding on one side, a kernel that is not square", (4, 6, 7), 4, (5, 2), padding=(2, 0, 1, 1)),
    conv("1x1", "no window", (9, 4, 4), 12, (1, 1)),
    conv("large", "positions in several blocks", (32, 40, 40), 4, (3, 3), padding=1),
    conv("tiles", "three tiles of channels, rows of a window that fill no chunk", (26, 9, 7), 36, (3, 3), padding=1),
    conv("tiles-stride", "several chunks in a row, stride 2", (22, 9, 11), 20, (5, 4), stride=2, padding=2),
    conv("tiles-pool", "blocks of rows with a pool", (30, 38, 34), 17, (3, 3), padding=1, pool=POOL),
    conv("pool", "a pool in the store", (8, 6, 6), 8, (3, 3), padding=1, pool=POOL),
    conv("pool-odd", "a pool that drops the last row and column", (3, 7, 5), 6, (3, 3), padding=1, pool=POOL),
    conv("pool-3x3", "a pool that is a separate step", (3, 6, 6), 6, (3, 3), padding=1, pool=ops.MaxPool(3)),
    conv("added", "bytes added in the store", (6, 5, 5), 9, (3, 3), padding=1, end="added"),
    conv("added-pool", "and then a pool", (6, 6, 6), 9, (3, 3), padding=1, end="added", pool=POOL),
    conv("floats", "sums that become floats", (6, 5, 5), 9, (3, 3), padding=1, end="floats"),
    conv("groups", "groups of whole blocks", (16, 5, 5), 8, (3, 3), padding=1, groups=2),
    conv("groups-3", "groups that end within a block", (12, 5, 5), 9, (3, 3), padding=1, groups=3),
    conv("multiplied", "two channels from each", (6, 5, 5), 12, (3, 3), padding=1, groups=6),
    conv("depthwise", "pairs of positions", (8, 6, 6), 8, (3, 3), padding=1, groups=8),
    conv("depthwise-odd", "rows that end within a pair", (6, 5, 7), 6, (3, 3), padding=1, groups=6),
    conv(
        "depthwise-columns", "an odd number of columns, sums that begin as floats, a limit",
        (8, 7, 9), 8, (3, 3), padding=1, groups=8, zero=0, high=180,
    ),
    conv("depthwise-narrow", "one column", (5, 6, 1), 5, (3, 3), padding=1, groups=5, zero=0),
    conv("no-zero-pool", "the largest of such sums", (8, 6, 6), 8, (3, 3), padding=1, zero=0, pool=POOL),
    conv("tiles-no-zero", "such sums in matrix tiles", (26, 9, 7), 36, (3, 3), padding=1, zero=0, high=200),
    conv("depthwise-stride", "positions two apart", (6, 9, 8), 6, (3, 3), padding=1, stride=2, groups=6),
    conv("depthwise-5x5", "rows of more than four taps", (5, 6, 6), 5, (5, 5), padding=2, groups=5),
    conv("depthwise-2x2", "rows of fewer than three", (5, 6, 6), 5, (2, 2), groups=5),
    conv("depthwise-pool", "with a pool", (8, 6, 6), 8, (3, 3), padding=1, groups=8, pool=POOL),
    conv("depthwise-added", "with bytes added", (6, 5, 6), 6, (3, 3), padding=1, groups=6, end="added"),
    conv("depthwise-added-pool", "and both", (6, 6, 6), 6, (3, 3), padding=1, groups=6, end="added", pool=POOL),
    conv("depthwise-floats", "sums that become floats", (6, 5, 5), 6, (3, 3), padding=1, groups=6, end="floats"),
    conv("whole", "as large as its image: a dense layer", (6, 4, 4), 10, (4, 4)),
    conv("whole-groups", "the same in groups", (6, 4, 4), 10, (4, 4), groups=2),
    linear("bytes", "blocks that fill no tile", 37, 30),
    linear("no-zero", "sums that begin as floats", 64, 50, zero=0),
    linear("floats", "logits", 64, 10, end="floats"),
    linear("added", "with bytes added", 20, 17, end="added"),
    chain("max_pool", "windows that overlap, cut at the edge", (6, 7, 8), (ops.MaxPool(3, stride=2, padding=1), {})),
    chain("max_pool-global", "one window", (6, 5, 4), (ops.GlobalMaxPool(), {})),
    chain("avg_pool", "divisors that differ at the edge", (6, 7, 8), (mean(kernel=3, stride=2, padding=1), {})),
    chain(
        "avg_pool-out", "halves away from 128, as in LiteRT", (6, 7, 8),
        (q.QuantizedAvgPool(SCALE, ZERO, x_scale=SCALE, x_zero=ZERO, kernel=2, padding=1, halves="out"), {}),
    ),
    chain(
        "avg_pool-up", "halves up", (6, 7, 8),
        (q.QuantizedAvgPool(SCALE, ZERO, x_scale=SCALE, x_zero=ZERO, kernel=(2, 3), halves="up"), {}),
    ),
    chain(
        "avg_pool-global", "all of a channel", (6, 5, 4),
        (q.QuantizedGlobalAvgPool(0.03, 50, x_scale=SCALE, x_zero=ZERO, keep_dims=False), {}),
    ),
    chain("lookup", "one table", (6, 5, 4), (q.Lookup(0.03, 50), entries())),
    chain("lookup-channels", "a table for each channel", (6, 5, 4), (q.Lookup(0.03, 50), entries(6))),
    chain("flatten", "bytes in the order of an image", (6, 3, 2), (ops.Flatten(), {}), (q.Lookup(0.03, 50), entries())),
    chain("transpose", "channels become columns", (6, 3, 5), (ops.Transpose((0, 3, 1, 2)), {})),
    chain("reshape", "other blocks", (6, 2, 4), (ops.Reshape((4, 6, 2)), {}), (ops.MaxPool((1, 2)), {})),
    chain("slice", "channels from within a block on", (9, 3, 4), (ops.Slice((3, 0, 1), (5, 2, 2), (1, 1, 2)), {})),
    chain(
        "four-axes", "more axes than an image has", (3, 2, 20),
        (ops.Reshape((3, 2, 4, 5)), {}), (q.Lookup(0.03, 50), entries()), (ops.Transpose((0, 1, 3, 2, 4)), {}),
        (q.Lookup(0.03, 50), entries()),
    ),
    chain("features", "bytes without an image", (11,), (q.Lookup(0.03, 50), entries())),
    chain("pad", "pixels and channels of one byte", (6, 3, 5), (ops.Pad((2, 1, 0, 2), 200.0, channels=(1, 2)), {})),
    chain("pad-zero", "the smallest byte around", (4, 3, 3), (ops.Pad(1), {}), (ops.MaxPool(2), {})),
    chain("pad-largest", "the largest byte around", (3, 3, 3), (ops.Pad(1, 255.0), {})),
    chain("pad-reflect", "pixels of the image around", (5, 4, 5), (ops.Pad((1, 2, 3, 0), mode="reflect"), {})),
    chain("resize", "pixels repeated and left out", (5, 4, 6), (ops.Resize((7, 3)), {})),
    IntegerCase("concat", branches(ops.Concat(1), 6, 3, 5), "channels that share blocks"),
    IntegerCase("concat-rows", branches(ops.Concat(2), 6, 6), "along rows"),
    IntegerCase("flattened", lambda: flattened(6), "a small classifier, of channels that fill no block"),
    IntegerCase("flattened-blocks", lambda: flattened(8), "a dense layer reads the image in place"),
    IntegerCase("flattened-gap", gap, "the same with a gap behind each block"),
    IntegerCase("residual", residual, "a residual block"),
    pair("add", "two images", ADD, (6, 3, 5), (6, 3, 5)),
    pair("add-channels", "a number for each channel", ADD, (6, 3, 5), (6, 1, 1)),
    pair("add-pixels", "a number for each pixel", ADD, (1, 3, 5), (6, 3, 5)),
    pair("mul", "two images", MUL, (6, 3, 5), (6, 3, 5)),
    pair("mul-channels", "squeeze and excitation", MUL, (6, 3, 5), (6, 1, 1)),
    pair("mul-features", "no image", MUL, (9,), (9,)),
)  # fmt: skip

REAL_LAYERS = (
    conv("cs61c-1", "CS61C network: 3 channels of 4", (3, 32, 32), 16, (5, 5), padding=2, pool=POOL),
    conv("cs61c-2", "CS61C network", (16, 16, 16), 20, (5, 5), padding=2, pool=POOL),
    conv("cs61c-3", "CS61C network: 20 channels", (20, 8, 8), 20, (5, 5), padding=2, pool=POOL),
    conv("resnet-16", "ResNet-20, first stage", (16, 32, 32), 16, (3, 3), padding=1),
    conv("resnet-32", "second stage, with bytes added", (32, 16, 16), 32, (3, 3), padding=1, end="added"),
    conv("resnet-64", "third stage", (64, 8, 8), 64, (3, 3), padding=1),
    conv("resnet-down", "ResNet-20, a stage begins", (16, 32, 32), 32, (3, 3), padding=1, stride=2),
    conv("vgg-64", "large image", (64, 32, 32), 64, (3, 3), padding=1, pool=POOL),
    conv("vgg-256", "many channels, small image", (256, 8, 8), 256, (3, 3), padding=1, pool=POOL),
    conv("mobilenet-expand", "1x1 to many channels: the store weighs", (32, 16, 16), 192, (1, 1)),
    conv("mobilenet-project", "1x1 back to few", (192, 16, 16), 32, (1, 1)),
    conv("mobilenet-depthwise", "the usual one", (192, 16, 16), 192, (3, 3), padding=1, groups=192),
    conv("mobilenet-depthwise-2", "stride 2", (192, 16, 16), 192, (3, 3), padding=1, stride=2, groups=192),
    linear("mlp-1", "784-500-50-10, first layer", 784, 500),
    linear("cs61c", "last layer of the CS61C network", 320, 10, end="floats"),
    chain("max_pool-resnet", "behind the stem of ResNet-50", (64, 32, 32), (ops.MaxPool(3, stride=2, padding=1), {})),
    chain(
        "avg_pool-mobilenet", "many channels of few pixels", (1280, 4, 4),
        (q.QuantizedGlobalAvgPool(0.03, 50, x_scale=SCALE, x_zero=ZERO), {}),
    ),
    chain("avg_pool-3x3", "divisors that differ at the edge", (64, 16, 16), (mean(kernel=3, stride=2, padding=1), {})),
    chain("lookup-silu", "an activation as a table", (96, 16, 16), (q.Lookup(0.03, 50), entries())),
    pair("add-resnet", "a residual that no layer takes", ADD, (16, 32, 32), (16, 32, 32)),
    pair("mul-gate", "squeeze and excitation", MUL, (96, 16, 16), (96, 1, 1)),
)  # fmt: skip
"""Layers of real networks, which benchmarks time and check; too large to be run in every way by tests."""
