"""The nine networks that benchmarks run, with fixed random weights, each described once, as cnnfast layers.

What a network has learned makes no difference to its speed, so nothing needs to be downloaded. Weights are scaled so
that activations keep their size from layer to layer: neither denormals nor saturation flatter or slow any engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnfast import Network, Preprocess
from cnnfast.layers import (
    AnyLayer,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Relu6,
    Residual,
    Sigmoid,
)

Layers = list[AnyLayer]

CIFAR = Preprocess((32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
IMAGENET = Preprocess((224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

BRANCH_GAIN = 0.3
"""What batch-norm at the end of a residual branch multiplies by: a long chain of additions must not grow."""

LINEAR_GAIN = math.sqrt(0.5)
"""The same for a convolution that reads values no activation has halved."""


@dataclass(frozen=True)
class Bench:
    """One network of the benchmarks.

    Attributes
    ----------
    id : str
        What tables and arguments call it: n1 to n9.
    title : str
    preprocess : Preprocess
    layers : callable
        Makes the layers, up to the scores, from a source of weights.
    """

    id: str
    title: str
    preprocess: Preprocess
    layers: Callable[[Weights], Layers]

    def network(self) -> Network:
        """Return the network; each call gives the same weights."""
        return Network.from_layers(self.layers(Weights()), self.preprocess.shape, preprocess=self.preprocess)

    def pictures(self, count: int, seed: int = 1) -> np.ndarray:
        """Return random pictures, uint8 (N, H, W, C); the first ones are the same for any count."""
        c, h, w = self.preprocess.shape
        return np.random.default_rng(seed).integers(0, 256, (count, h, w, c), np.uint8)


class Weights:
    """Makes layers with random weights; the same calls give the same weights."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def _normal(self, shape: tuple[int, ...], gain: float) -> np.ndarray:
        return self._rng.standard_normal(shape) * math.sqrt(gain / math.prod(shape[1:]))

    def conv(self, channels: int, filters: int, kernel: int, **options: int) -> Layer:
        """Return a convolution with bias."""
        return Conv2d(self._normal((filters, channels, kernel, kernel), 2), self._bias(filters), **options)

    def linear(self, features: int, outputs: int, gain: float = 2) -> Layer:
        """Return a dense layer; the last one has gain 1, and so scores of the size of its input."""
        return Linear(self._normal((outputs, features), gain), self._bias(outputs))

    def conv_bn(
        self, channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1, gain: float = 1
    ) -> Layers:
        """Return a convolution that keeps the image's size or halves it, without bias, and batch-norm."""
        weight = self._normal((filters, channels // groups, kernel, kernel), 2)
        conv = Conv2d(weight, stride=stride, padding=kernel // 2, groups=groups)
        return [conv, self._batch_norm(filters, gain)]

    def _bias(self, count: int) -> np.ndarray:
        return self._rng.standard_normal(count) / 10

    def _batch_norm(self, channels: int, gain: float) -> Layer:
        var = self._rng.uniform(0.5, 2, channels)
        scale = self._rng.uniform(0.9, 1.1, channels) * np.sqrt(var) * gain
        return BatchNorm(scale, self._bias(channels), self._bias(channels), var)


def cs61c(w: Weights) -> Layers:
    """Berkeley's CS61C project 3."""
    layers: Layers = []
    for channels, filters in ((3, 16), (16, 20), (20, 20)):
        layers += [w.conv(channels, filters, 5, padding=2), Relu(), MaxPool(2)]
    return [*layers, Flatten(), w.linear(320, 10, gain=1)]


def lenet(w: Weights) -> Layers:
    """The network of PyTorch's tutorial on CIFAR-10."""
    layers: Layers = []
    for channels, filters in ((3, 6), (6, 16)):
        layers += [w.conv(channels, filters, 5), Relu(), MaxPool(2)]
    return [*layers, Flatten(), w.linear(400, 120), Relu(), w.linear(120, 84), Relu(), w.linear(84, 10, gain=1)]


def mlp(w: Weights) -> Layers:
    """784-500-50-10 with sigmoids."""
    return [Flatten(), w.linear(784, 500), Sigmoid(), w.linear(500, 50), Sigmoid(), w.linear(50, 10, gain=1)]


def vgg_small(w: Weights) -> Layers:
    """Three pairs of 3x3 convolutions with batch-norm, each pair followed by a pool."""
    layers: Layers = []
    channels = 3
    for filters in (64, 128, 256):
        layers += [*w.conv_bn(channels, filters, 3), Relu(), *w.conv_bn(filters, filters, 3), Relu(), MaxPool(2)]
        channels = filters
    return [*layers, Flatten(), w.linear(256 * 4 * 4, 256), Relu(), w.linear(256, 10, gain=1)]


def basic_blocks(w: Weights, channels: int, stages: tuple[tuple[int, int], ...]) -> Layers:
    """Return residual blocks of two 3x3 convolutions; stages are (filters, blocks).

    Where a block changes the shape its shortcut is a 1x1 convolution with batch-norm (option B of the ResNet paper).
    """
    layers: Layers = []
    for stage, (filters, blocks) in enumerate(stages):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            body = [*w.conv_bn(channels, filters, 3, stride), Relu(), *w.conv_bn(filters, filters, 3, gain=BRANCH_GAIN)]
            shortcut = w.conv_bn(channels, filters, 1, stride) if channels != filters else []
            layers += [Residual(body, shortcut), Relu()]
            channels = filters
    return layers


def resnet20(w: Weights) -> Layers:
    """ResNet-20 for CIFAR, with option B shortcuts."""
    blocks = basic_blocks(w, 16, ((16, 3), (32, 3), (64, 3)))
    return [*w.conv_bn(3, 16, 3), Relu(), *blocks, GlobalAvgPool(), Flatten(), w.linear(64, 10, gain=1)]


def resnet18(w: Weights) -> Layers:
    """ResNet-18 for CIFAR: the stem keeps the image's size."""
    blocks = basic_blocks(w, 64, ((64, 2), (128, 2), (256, 2), (512, 2)))
    return [*w.conv_bn(3, 64, 3), Relu(), *blocks, GlobalAvgPool(), Flatten(), w.linear(512, 10, gain=1)]


MOBILENET_STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion, filters and blocks of each stage of MobileNetV2."""


def mobilenet_blocks(w: Weights, strides: tuple[int, ...], activation: Callable[[], Layer], project: bool) -> Layers:
    """Return the inverted residual blocks of MobileNetV2.

    Parameters
    ----------
    w : Weights
    strides : tuple of int
        The stride of the first block of each stage.
    activation : callable
    project : bool
        Whether a block of stride 1 that changes the number of channels has a shortcut too, a 1x1 convolution.
    """
    layers: Layers = []
    channels = 32
    for (expansion, filters, blocks), first_stride in zip(MOBILENET_STAGES, strides, strict=True):
        for block in range(blocks):
            stride, wide = 1 if block else first_stride, channels * expansion
            residual = stride == 1 and (project or channels == filters)
            body = [*w.conv_bn(channels, wide, 1, gain=LINEAR_GAIN), activation()] if expansion > 1 or project else []
            body += [*w.conv_bn(wide, wide, 3, stride, groups=wide), activation()]
            body += w.conv_bn(wide, filters, 1, gain=BRANCH_GAIN if residual else 1)
            shortcut = w.conv_bn(channels, filters, 1, gain=LINEAR_GAIN) if channels != filters else []
            layers += [Residual(body, shortcut)] if residual else body
            channels = filters
    return layers


def mobilenet_cifar(w: Weights) -> Layers:
    """kuangliu's MobileNetV2 for CIFAR: fewer strides, ReLU, shortcuts by 1x1 convolutions."""
    blocks = mobilenet_blocks(w, (1, 1, 2, 2, 1, 2, 1), Relu, project=True)
    head: Layers = [*w.conv_bn(320, 1280, 1), Relu(), GlobalAvgPool(), Flatten(), w.linear(1280, 10, gain=1)]
    return [*w.conv_bn(3, 32, 3), Relu(), *blocks, *head]


def mobilenet(w: Weights) -> Layers:
    """MobileNetV2 for ImageNet, as in torchvision."""
    blocks = mobilenet_blocks(w, (1, 2, 2, 2, 1, 2, 1), Relu6, project=False)
    head: Layers = [*w.conv_bn(320, 1280, 1), Relu6(), GlobalAvgPool(), Flatten(), w.linear(1280, 1000, gain=1)]
    return [*w.conv_bn(3, 32, 3, stride=2), Relu6(), *blocks, *head]


def resnet50(w: Weights) -> Layers:
    """ResNet-50 for ImageNet, as in torchvision: the 3x3 convolution has the stride."""
    layers: Layers = [*w.conv_bn(3, 64, 7, stride=2), Relu(), MaxPool(3, 2, 1)]
    channels = 64
    for stage, (narrow, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride, filters = 2 if stage and not block else 1, 4 * narrow
            body = [*w.conv_bn(channels, narrow, 1), Relu(), *w.conv_bn(narrow, narrow, 3, stride), Relu()]
            body += w.conv_bn(narrow, filters, 1, gain=BRANCH_GAIN)
            shortcut = w.conv_bn(channels, filters, 1, stride) if channels != filters else []
            layers += [Residual(body, shortcut), Relu()]
            channels = filters
    return [*layers, GlobalAvgPool(), Flatten(), w.linear(2048, 1000, gain=1)]


BENCHES: dict[str, Bench] = {
    bench.id: bench
    for bench in (
        Bench("n1", "CS61C", Preprocess((32, 32), mean=(0.5,)), cs61c),
        Bench("n2", "LeNet", Preprocess((32, 32), mean=(0.5,), std=(0.5,)), lenet),
        Bench("n3", "MLP 784-500-50-10", Preprocess((28, 28), channels="gray"), mlp),
        Bench("n4", "VGG-small", CIFAR, vgg_small),
        Bench("n5", "ResNet-20", CIFAR, resnet20),
        Bench("n6", "ResNet-18, CIFAR", CIFAR, resnet18),
        Bench("n7", "MobileNetV2, CIFAR", CIFAR, mobilenet_cifar),
        Bench("n8", "ResNet-50, 224x224", IMAGENET, resnet50),
        Bench("n9", "MobileNetV2, 224x224", IMAGENET, mobilenet),
    )
}
"""The networks by id."""
