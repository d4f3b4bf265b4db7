"""Chains of convolutions, pools and dense layers."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Flatten, MaxPool, Relu, Sigmoid
from cnnfast.ops import Shape


@register("cs61c", "Berkeley's CS61C project 3: three 5x5 convolutions with 16, 20 and 20 filters", (3, 32, 32))
def cs61c(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return conv-relu-pool three times and a dense layer."""
    layers, channels = [], shape[0]
    for number, filters in enumerate((16, 20, 20), 1):
        layers += [w.conv(f"conv{number}", channels, filters, 5), Relu(), MaxPool(2)]
        channels = filters
    features = channels * (shape[1] // 8) * (shape[2] // 8)
    return [*layers, Flatten(), w.linear("fc", features, classes)]


@register(
    "lenet", "the network of PyTorch's tutorial on CIFAR-10: two 5x5 convolutions, three dense layers", (3, 32, 32)
)
def lenet(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return conv-relu-pool twice, without padding, and three dense layers."""
    layers: Layers = []
    channels, height, width = shape
    for number, filters in enumerate((6, 16), 1):
        layers += [w.conv(f"conv{number}", channels, filters, 5, padding=0), Relu(), MaxPool(2)]
        channels, height, width = filters, (height - 4) // 2, (width - 4) // 2
    layers += [Flatten(), w.linear("fc1", channels * height * width, 120), Relu()]
    return [*layers, w.linear("fc2", 120, 84), Relu(), w.linear("fc3", 84, classes)]


@register("mlp", "784-500-50-10 with sigmoids", (1, 28, 28))
def mlp(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return three dense layers."""
    layers = [Flatten(), w.linear("fc1", shape[0] * shape[1] * shape[2], 500), Sigmoid()]
    return [*layers, w.linear("fc2", 500, 50), Sigmoid(), w.linear("fc3", 50, classes)]


def three_convs(w: LayerMaker, shape: Shape, classes: int, filters: tuple[int, int, int], hidden: int) -> Layers:
    """Return 3x3 conv-relu-pool three times, and two dense layers."""
    layers, channels = [], shape[0]
    for number, count in enumerate(filters, 1):
        layers += [w.conv(f"conv{number}", channels, count, 3), Relu(), MaxPool(2)]
        channels = count
    features = channels * (shape[1] // 8) * (shape[2] // 8)
    return [*layers, Flatten(), w.linear("fc1", features, hidden), Relu(), w.linear("fc2", hidden, classes)]


@register("cnn-16-32-64", "three 3x3 convolutions, each with relu and pool, and dense layers of 128 and K", (3, 32, 32))
def cnn_small(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return the narrow one."""
    return three_convs(w, shape, classes, (16, 32, 64), hidden=128)


@register(
    "cnn-32-64-128", "three 3x3 convolutions, each with relu and pool, and dense layers of 256 and K", (1, 28, 28)
)
def cnn_wide(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return the wide one."""
    return three_convs(w, shape, classes, (32, 64, 128), hidden=256)
