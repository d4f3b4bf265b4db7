"""Random networks: acyclic, small, and full of what passes and planners trip over.

`random_graph` grows one from a seed, block by block: convolutions with what usually follows them, residual adds,
concats of branches, squeeze-and-excitation gates, pools on odd sizes, values that nothing reads, values read twice,
nodes that depend on constants alone, several outputs. With ``any_rank`` values have one to four axes, and there are
norms, reductions, slices and interpolations among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import any_rank_blocks
import numpy as np
from hypothesis import strategies as st

from cnnfast import ops
from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Op
from cnnfast.ops.base import Array, Shape

ACTIVATIONS: tuple[Op, ...] = (
    ops.Relu(),
    ops.Relu(),
    ops.Clip(),
    ops.Clip(-0.5, 0.5),
    ops.LeakyRelu(0.1),
    ops.LeakyRelu(-0.1),
    ops.PRelu(),
    ops.Elu(),
    ops.Sigmoid(),
    ops.Tanh(),
    ops.HardSigmoid(),
    ops.HardSwish(),
    ops.Silu(),
    ops.Gelu(),
    ops.Gelu("tanh"),
)


def random_graph(rng: np.random.Generator, blocks: int = 8, any_rank: bool = False) -> Graph:
    """Return a random network of about ``blocks`` blocks on one input ``x``, of shape (C, H, W) or of any rank."""
    net = _Network(rng, rank=int(rng.integers(1, 4)) if any_rank else 3)
    known = (*BLOCKS, *any_rank_blocks.BLOCKS) if any_rank else BLOCKS
    for _ in range(blocks):
        block = known[rng.integers(len(known))]
        net.frontier.append(block(net, net.pick()))
    if net.maybe():
        net.frontier.append(_head(net, net.pick()))
    results = [node.name for node in net.nodes]
    last = net.frontier[-1] if net.frontier[-1] in results else net.identity(net.frontier[-1])
    others = rng.choice(results, size=rng.integers(0, 3)) if results else []
    return Graph(
        {"x": net.shapes["x"]}, tuple(net.nodes), net.constants, tuple(dict.fromkeys([*map(str, others), last]))
    )


def random_inputs(graph: Graph, rng: np.random.Generator, images: int = 2) -> dict[str, Array]:
    """Return images for every input of a graph, float32."""
    return {name: rng.standard_normal((images, *shape)).astype(np.float32) for name, shape in graph.inputs.items()}


def graphs(blocks: int = 8) -> st.SearchStrategy[Graph]:
    """Return the hypothesis strategy of random graphs; a failure names the seed."""
    return seeds().map(lambda seed: random_graph(np.random.default_rng(seed), blocks))


def seeds() -> st.SearchStrategy[int]:
    """Return the hypothesis strategy of seeds."""
    return st.integers(0, 2**32 - 1)


class _Network:
    """A network while it grows."""

    def __init__(self, rng: np.random.Generator, rank: int = 3) -> None:
        self.rng = rng
        shape = (int(rng.integers(1, 5)), int(rng.integers(3, 12)), int(rng.integers(3, 12)))
        self.shapes: dict[str, Shape] = {"x": shape[3 - rank :]}
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.frontier = ["x"]

    def node(self, op: Op, *inputs: str) -> str:
        """Append a node and return its name."""
        name = f"{op.name}{len(self.nodes)}"
        shape = op.shape(*(self.shapes[v] for v in inputs))
        assert min(shape) > 0, f"{op} on {[self.shapes[v] for v in inputs]}"
        self.nodes.append(Node(name, op, inputs))
        self.shapes[name] = shape
        return name

    def weight(self, *shape: int, scale: float = 1.0, least: float | None = None) -> str:
        """Append a constant, normal or uniform from ``least`` to ``least + scale``, and return its name."""
        name = f"w{len(self.constants)}"
        random = self.rng.standard_normal(shape) if least is None else self.rng.random(shape)
        self.constants[name] = constant(random * scale + (least or 0))
        self.shapes[name] = shape
        return name

    def identity(self, value: str) -> str:
        return self.node(ops.Identity() if self.maybe() else ops.Dropout(0.3), value)

    def pick(self) -> str:
        """Return a value to continue from: mostly the newest, sometimes an older one, which makes branches."""
        return self.frontier[-1] if self.maybe(0.75) else self.frontier[self.rng.integers(len(self.frontier))]

    def maybe(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


def _activation(net: _Network, x: str) -> str:
    op = ACTIVATIONS[net.rng.integers(len(ACTIVATIONS))]
    if not isinstance(op, ops.PRelu):
        return net.node(op, x)
    slopes = 1 if net.maybe() else net.shapes[x][0]
    return net.node(op, x, net.weight(slopes, scale=0.5, least=0.0 if net.maybe() else None))


def _batch_norm(net: _Network, x: str) -> str:
    c = net.shapes[x][:1]
    if len(net.shapes[x]) == 2:
        return x
    scale = net.weight(*c, least=0.5) if net.maybe(0.7) else net.weight(*c)
    return net.node(ops.BatchNorm(1e-3), x, scale, net.weight(*c), net.weight(*c), net.weight(*c, least=0.5))


def _scale(net: _Network, x: str) -> str:
    """Multiply with or add a constant: per channel, one for all, or one for every element."""
    shape = net.shapes[x]
    kinds = [shape, (shape[0], *(1 for _ in shape[1:])), (1,) * len(shape), ()]
    kind = kinds[net.rng.integers(len(kinds))]
    other = net.weight(*kind)
    if net.maybe(0.3) and kind:
        other = net.node(ops.Relu(), other)
    op = ops.Add() if net.maybe() else ops.Mul()
    return net.node(op, x, other) if net.maybe() else net.node(op, other, x)


def _pool(net: _Network, x: str) -> str:
    if len(net.shapes[x]) != 3:
        return x
    _, h, w = net.shapes[x]
    kernel = (net.between(1, min(3, h)), net.between(1, min(3, w)))
    padding = tuple(net.between(0, k - 1) for k in kernel * 2)
    attributes = {"stride": net.between(1, 3), "padding": padding, "ceil_mode": net.maybe(0.3)}
    if net.maybe(0.6):
        return net.node(ops.MaxPool(kernel, **attributes), x)
    return net.node(ops.AvgPool(kernel, **attributes, count_padding=net.maybe()), x)


def _conv(net: _Network, x: str) -> str:
    if len(net.shapes[x]) != 3:
        return x
    c, h, w = net.shapes[x]
    groups = [g for g in range(1, c + 1) if c % g == 0]
    group = groups[net.rng.integers(len(groups))]
    oc, kernel, dilation = group * net.between(1, 3), (net.between(1, 3), net.between(1, 3)), net.between(1, 2)
    least = [max(0, dilation * (k - 1) + 1 - size) for k, size in zip(kernel, (h, w), strict=True)]
    padding = (least[0] + net.between(0, 1), least[1] + net.between(0, 1), net.between(0, 2), net.between(0, 2))
    if net.maybe(0.2):
        x = net.node(ops.Pad(net.between(0, 2), 0.0 if net.maybe(0.8) else 1.0), x)
    weight = net.weight(oc, c // group, *kernel, scale=1 / math.sqrt(math.prod(kernel) * c // group))
    bias = [net.weight(oc)] if net.maybe() else []
    return net.node(ops.Conv2d(net.between(1, 2), padding, dilation, group), x, weight, *bias)


def _pointwise(net: _Network, x: str, channels: int) -> str:
    c = net.shapes[x][0]
    return net.node(ops.Conv2d(), x, net.weight(channels, c, 1, 1, scale=1 / math.sqrt(c)))


def _linear(net: _Network, x: str) -> str:
    if len(net.shapes[x]) != 1:
        x = net.node(ops.Flatten(), x)
    features, outputs = net.shapes[x][0], net.between(1, 6)
    bias = [net.weight(outputs)] if net.maybe() else []
    return net.node(ops.Linear(), x, net.weight(outputs, features, scale=1 / math.sqrt(features)), *bias)


def _layer(net: _Network, x: str) -> str:
    """A convolution or linear layer and the usual followers, in the usual order and in some others."""
    x = _conv(net, x) if len(net.shapes[x]) == 3 else _linear(net, x)
    followers = [_batch_norm, _scale, _activation, _pool, _identity]
    orders = ([0, 2], [0, 2, 3], [3, 0, 2], [2, 3], [3, 2], [1, 0], [4, 0, 4, 2], [0], [2, 2], [3, 3], [3, 0, 1, 2])
    for index in orders[net.rng.integers(len(orders))]:
        x = followers[index](net, x)
        if net.maybe(0.05):
            net.frontier.append(x)
    return x


def _identity(net: _Network, x: str) -> str:
    return net.identity(x)


def _residual(net: _Network, x: str) -> str:
    """``x + f(x)``, with the add in either order and perhaps an activation behind it."""
    if len(net.shapes[x]) != 3:
        return net.node(ops.Add(), x, x)
    c = net.shapes[x][0]
    y = _batch_norm(net, _pointwise(net, _activation(net, _pointwise(net, x, net.between(1, 4))), c))
    shortcut = _batch_norm(net, _pointwise(net, x, c)) if net.maybe(0.3) else x
    total = net.node(ops.Add(), y, shortcut) if net.maybe() else net.node(ops.Add(), shortcut, y)
    return _activation(net, total) if net.maybe(0.7) else total


def _gate(net: _Network, x: str) -> str:
    """Squeeze-and-excitation: each channel times a number computed from all channels."""
    if len(net.shapes[x]) != 3:
        return net.node(ops.Mul(), x, net.node(ops.Sigmoid(), x))
    c = net.shapes[x][0]
    squeezed = net.node(ops.Relu(), _pointwise(net, net.node(ops.GlobalAvgPool(), x), 2))
    gate = net.node(ops.Sigmoid() if net.maybe() else ops.HardSigmoid(), _pointwise(net, squeezed, c))
    return net.node(ops.Mul(), x, gate) if net.maybe() else net.node(ops.Mul(), gate, x)


def _concat(net: _Network, x: str) -> str:
    """Branches side by side; one of them may be the value itself."""
    shape = net.shapes[x]
    branches = [x]
    for _ in range(net.between(0, 2)):
        branches.append(_pointwise(net, x, net.between(1, 2)) if len(shape) == 3 else _activation(net, x))
    return net.node(ops.Concat(), *branches)


def _move(net: _Network, x: str) -> str:
    """Reshape or transpose, some of them in name only."""
    shape = net.shapes[x]
    if len(shape) != 3:
        return net.node(ops.Reshape(shape), x)
    if net.maybe(0.3):
        return net.node(ops.Transpose((0, 1, 2, 3)), x)
    return net.node(ops.Transpose((0, 1, 3, 2)), x) if net.maybe() else net.node(ops.Reshape((shape[0], -1, 1)), x)


def _other(net: _Network, x: str) -> str:
    op: Op = ops.Softmax() if net.maybe() else ops.LogSoftmax()
    return net.node(ops.Lrn(net.between(1, 4)) if len(net.shapes[x]) == 3 else op, x)


def _dead_end(net: _Network, x: str) -> str:
    _layer(net, x)
    return x


def _head(net: _Network, x: str) -> str:
    if len(net.shapes[x]) == 3:
        keep_dims = net.maybe()
        x = net.node(ops.GlobalAvgPool(keep_dims) if net.maybe() else ops.GlobalMaxPool(keep_dims), x)
    return net.node(ops.Softmax(), _linear(net, x))


BLOCKS: tuple[Callable[[_Network, str], str], ...] = (
    *(_layer,) * 6,
    *(_residual,) * 2,
    _gate,
    _concat,
    _pool,
    _batch_norm,
    _activation,
    _identity,
    _scale,
    _move,
    _other,
    _dead_end,
)
"""What a network is made of; a block that cannot take a value returns it as it is."""
