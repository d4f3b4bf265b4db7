"""VGG: chains of 3x3 convolutions between pools. Simonyan and Zisserman, 2014 (1409.1556)."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Dropout, Flatten, MaxPool, Relu
from cnnfast.ops import Shape


@register("vgg-small", "three pairs of 3x3 convolutions with batch-norm, 64, 128 and 256 filters", (3, 32, 32))
def vgg_small(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return the VGG of the benchmarks, for small images."""
    layers, channels = [], shape[0]
    for stage, filters in enumerate((64, 128, 256), 1):
        for number in (1, 2):
            place = f"{stage}.{number}"
            conv = w.conv(f"conv{place}", channels, filters, 3, bias=False)
            layers += [conv, w.batch_norm(f"bn{place}", filters), Relu()]
            channels = filters
        layers.append(MaxPool(2))
    features = channels * (shape[1] // 8) * (shape[2] // 8)
    return [*layers, Flatten(), w.linear("fc1", features, 256), Relu(), w.linear("fc2", 256, classes)]


STAGES = {
    "vgg11": ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)),
    "vgg13": ((64, 2), (128, 2), (256, 2), (512, 2), (512, 2)),
    "vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}
"""Filters and convolutions of each stage: columns A, B, D and E of the paper."""


def vgg(w: LayerMaker, shape: Shape, classes: int, name: str, batch_norm: bool) -> Layers:
    """Return a VGG for ImageNet, with torchvision's names; it has no adaptive pool, so it takes 224x224 only."""
    layers: Layers = []
    channels = shape[0]
    for filters, convs in STAGES[name]:
        for _ in range(convs):
            layers.append(w.conv(f"features.{len(layers)}", channels, filters, 3))
            if batch_norm:
                layers.append(w.batch_norm(f"features.{len(layers)}", filters))
            layers.append(Relu())
            channels = filters
        layers.append(MaxPool(2))
    features = channels * (shape[1] // 32) * (shape[2] // 32)
    layers += [Flatten(), w.linear("classifier.0", features, 4096), Relu(), Dropout()]
    return [*layers, w.linear("classifier.3", 4096, 4096), Relu(), Dropout(), w.linear("classifier.6", 4096, classes)]


def _register(name: str) -> None:
    @register(name, f"{name.upper()} for ImageNet; names as in torchvision", (3, 224, 224), 1000, distinct=True)
    def plain(w: LayerMaker, shape: Shape, classes: int) -> Layers:
        return vgg(w, shape, classes, name, batch_norm=False)

    @register(
        f"{name}-bn", f"{name.upper()} with batch-norm; names as in torchvision", (3, 224, 224), 1000, distinct=True
    )
    def normed(w: LayerMaker, shape: Shape, classes: int) -> Layers:
        return vgg(w, shape, classes, name, batch_norm=True)


for _name in STAGES:
    _register(_name)
