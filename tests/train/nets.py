"""Small networks that between them hold every way in which an engine computes; tests compare engines on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast import layers as make
from cnnfast.graph import Graph
from cnnfast.layers import AnyLayer, Branches, Gate, Residual, build_graph
from cnnfast.ops import Shape
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.losses import LOSSES, SoftmaxCrossEntropy

Layers = list[AnyLayer]


class Weights:
    """Makes layers with random weights."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(5)

    def array(self, *shape: int) -> np.ndarray:
        return self._rng.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1))

    def conv(self, c: int, oc: int, k: int | tuple[int, int], bias: bool = True, **options: object) -> AnyLayer:
        kernel = (k, k) if isinstance(k, int) else k
        weight = self.array(oc, c // int(options.get("groups", 1)), *kernel) * 1.5  # type: ignore[call-overload]
        return make.Conv2d(weight, self.array(oc) if bias else None, **options)  # type: ignore[arg-type]

    def dense(self, f: int, o: int, bias: bool = True) -> AnyLayer:
        return make.Linear(self.array(o, f), self.array(o) if bias else None)

    def norm(self, c: int) -> AnyLayer:
        return make.BatchNorm(self.array(c) + 1, self.array(c), self.array(c) / 3, self._rng.uniform(0.5, 2, c))


def _plain(w: Weights) -> Layers:
    return [
        w.conv(3, 6, 5, padding=2),
        make.Relu(),
        make.MaxPool(2),
        w.conv(6, 7, 5),
        make.Relu(),
        make.MaxPool(2),
        make.Flatten(),
        w.dense(7, 9),
        make.Relu(),
        w.dense(9, 4),
    ]


def _norms(w: Weights) -> Layers:
    return [
        w.conv(3, 6, 3, bias=False, padding=1),
        w.norm(6),
        make.Relu(),
        w.conv(6, 5, 3, padding=1),
        w.norm(5),
        make.MaxPool(2),
        make.Flatten(),
        w.dense(180, 6),
        w.norm(6),
        make.Relu(),
        w.dense(6, 4),
    ]


def _residual(w: Weights) -> Layers:
    down = [
        w.conv(5, 8, 3, False, stride=2, padding=1),
        w.norm(8),
        make.Relu(),
        w.conv(8, 8, 3, False, padding=1),
        w.norm(8),
    ]
    return [
        w.conv(3, 5, 3, False, padding=1),
        w.norm(5),
        make.Relu(),
        Residual(
            [w.conv(5, 5, 3, False, padding=1), w.norm(5), make.Relu(), w.conv(5, 5, 3, False, padding=1), w.norm(5)]
        ),
        make.Relu(),
        Residual(down, [w.conv(5, 8, 1, False, stride=2), w.norm(8)]),
        make.Relu(),
        make.GlobalAvgPool(),
        make.Flatten(),
        w.dense(8, 4),
    ]


def _shapes(w: Weights) -> Layers:
    return [
        w.conv(3, 4, (3, 2), stride=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2)),
        make.Tanh(),
        w.conv(4, 6, 3, padding=1, groups=2),
        make.Elu(0.7),
        w.conv(6, 6, 3, padding=1, groups=6, stride=2),
        make.Silu(),
        w.conv(6, 5, 3, padding=3),
        make.LeakyRelu(0.1),
        make.AvgPool(3, 2, 1),
        make.PRelu(w.array(5)),
        make.Flatten(),
        w.dense(5 * 4 * 5, 4, bias=False),
    ]


def _branches(w: Weights) -> Layers:
    gate = Gate([make.GlobalAvgPool(), w.conv(7, 7, 1), make.Sigmoid()])
    return [
        Branches([[w.conv(3, 4, 3, padding=1), make.Relu6()], [make.MaxPool(3, 1, 1), w.conv(3, 3, 1)]]),
        gate,
        make.HardSwish(),
        make.GlobalMaxPool(),
        make.Flatten(),
        w.dense(7, 4),
    ]


def _dropouts(w: Weights) -> Layers:
    return [
        w.conv(3, 4, 3, padding=1),
        make.Gelu(),
        make.Dropout(0.25),
        make.MaxPool(3, 2, 1),
        make.Flatten(),
        make.Dropout(0.5),
        w.dense(144, 5),
        make.Gelu("tanh"),
        make.HardSigmoid(),
        w.dense(5, 4),
        make.Softmax(),
    ]


def _moves(w: Weights) -> Layers:
    return [
        make.Pad((1, 0, 2, 1)),
        make.Transpose((0, 2, 3, 1)),
        make.Reshape((5, -1, 13)),
        w.conv(5, 4, 3),
        make.Identity(),
        make.Lrn(3),
        make.Clip(-1.0, 1.0),
        make.Flatten(),
        w.dense(4 * 7 * 11, 4),
    ]


def _wide(w: Weights) -> Layers:
    """Enough channels for weight gradients by Winograd, in images of many tiles, a few, and one."""
    body = [w.conv(20, 20, 3, False, padding=1), w.norm(20), make.Relu(), w.conv(20, 20, 3, padding=1), w.norm(20)]
    return [
        *(w.conv(3, 16, 5, padding=2), make.Relu(), w.conv(16, 20, 5), make.Relu(), Residual(body), make.Relu()),
        *(w.conv(20, 16, 3, padding=1), make.Tanh(), make.MaxPool(2), w.conv(16, 17, 3, padding=1), make.Relu()),
        *(make.GlobalAvgPool(), make.Flatten(), w.dense(17, 4)),
    ]


def _preact(w: Weights) -> Layers:
    """Sums that are read twice, and not normalized; scores that are another value under a new shape."""

    def block() -> AnyLayer:
        body = [w.norm(6), make.Relu(), w.conv(6, 6, 3, False, padding=1), w.norm(6), make.Relu()]
        return Residual([*body, w.conv(6, 6, 3, padding=1)])

    return [
        *(w.conv(3, 6, 3, padding=1), block(), block(), w.norm(6), make.Relu(), w.conv(6, 4, 1)),
        *(make.GlobalAvgPool(), make.Flatten()),
    ]


def _dense(w: Weights) -> Layers:
    """Values that grow by concatenation: each is read by all that follow; a block that adds its input to itself."""
    layers: Layers = [w.conv(3, 5, 3, padding=1)]
    for channels in (5, 8):
        grown = [w.norm(channels), make.Relu(), w.conv(channels, 3, 3, padding=1)]
        layers.append(Branches([[make.Identity()], grown]))
    twice = Residual([w.norm(11)], [w.norm(11)])
    return [*layers, w.norm(11), twice, make.Relu(), Residual([make.Identity()]), make.Flatten(), w.dense(11 * 144, 4)]


def _soft(w: Weights) -> Layers:
    return [
        *(w.conv(3, 6, 3), make.Softmax(), make.LogSoftmax(axis=3), make.MaxPool(3, 2, ceil_mode=True)),
        *(make.Transpose((0, 3, 1, 2)), make.Reshape((30, 5)), make.Reshape((150,)), make.PRelu(w.array(1))),
        w.dense(150, 4),
    ]


NETS: dict[str, Callable[[Weights], Layers]] = {
    "plain": _plain,
    "norms": _norms,
    "residual": _residual,
    "shapes": _shapes,
    "branches": _branches,
    "dropouts": _dropouts,
    "moves": _moves,
    "soft": _soft,
    "preact": _preact,
    "dense": _dense,
    "wide": _wide,
}

INPUT: Shape = (3, 12, 12)
CLASSES = 4


def net(name: str) -> Graph:
    """Return one of the networks, always with the same weights."""
    return build_graph(NETS[name](Weights()), INPUT)


def batch(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, C, H, W), float32, and labels (N,)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((images, *INPUT)).astype(np.float32), rng.integers(0, CLASSES, images)


def training_engines() -> list[ChwnEngine]:
    """Return engines whose plans together have a step of every kernel of training."""
    engines = [ChwnEngine(net(name), SoftmaxCrossEntropy(), 4) for name in NETS]
    return engines + [ChwnEngine(net("plain"), cls(), 4) for cls in LOSSES.values()]
