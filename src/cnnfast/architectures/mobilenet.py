"""MobileNetV2: inverted residual blocks. Sandler et al., 2018 (1801.04381)."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.resnet import conv_bn
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Dropout, Flatten, GlobalAvgPool, Relu, Relu6, Residual
from cnnfast.ops import Shape

STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion, filters and blocks of each stage: table 2 of the paper."""


def depthwise_bn(w: LayerMaker, conv: str, bn: str, channels: int, stride: int) -> Layers:
    """Return a depthwise 3x3 convolution without bias, and batch-norm."""
    layer = w.conv(conv, channels, channels, 3, stride=stride, groups=channels, bias=False)
    return [layer, w.batch_norm(bn, channels)]


@register(
    "mobilenetv2-cifar",
    "MobileNetV2 with fewer strides; names as in kuangliu/pytorch-cifar",
    (3, 32, 32),
    distinct=True,
)
def mobilenet_cifar(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return MobileNetV2 for small images: ReLU, and every block of stride 1 has a shortcut."""
    layers = [*conv_bn(w, "conv1", "bn1", shape[0], 32, 3), Relu()]
    channels, number = 32, 0
    for (expansion, filters, blocks), first in zip(STAGES, (1, 1, 2, 2, 1, 2, 1), strict=True):
        for block in range(blocks):
            name, stride, wide = f"layers.{number}", 1 if block else first, channels * expansion
            body = [*conv_bn(w, f"{name}.conv1", f"{name}.bn1", channels, wide, 1), Relu()]
            body += [*depthwise_bn(w, f"{name}.conv2", f"{name}.bn2", wide, stride), Relu()]
            body += conv_bn(w, f"{name}.conv3", f"{name}.bn3", wide, filters, 1)
            around: Layers = []
            if stride == 1 and channels != filters:
                around = conv_bn(w, f"{name}.shortcut.0", f"{name}.shortcut.1", channels, filters, 1)
            layers += [Residual(body, around, name=f"{name}.add")] if stride == 1 else body
            channels, number = filters, number + 1
    layers += [*conv_bn(w, "conv2", "bn2", channels, 1280, 1), Relu()]
    return [*layers, GlobalAvgPool(), Flatten(), w.linear("linear", 1280, classes)]


@register("mobilenetv2", "MobileNetV2 for ImageNet; names as in torchvision", (3, 224, 224), 1000, distinct=True)
def mobilenet(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return MobileNetV2 as in torchvision: ReLU6, a shortcut where a block keeps the shape."""
    layers = [*conv_bn(w, "features.0.0", "features.0.1", shape[0], 32, 3, 2), Relu6()]
    channels, number = 32, 1
    for (expansion, filters, blocks), first in zip(STAGES, (1, 2, 2, 2, 1, 2, 1), strict=True):
        for block in range(blocks):
            stride = 1 if block else first
            body = _inverted(w, f"features.{number}.conv", channels, filters, stride, expansion)
            keeps = stride == 1 and channels == filters
            layers += [Residual(body, name=f"features.{number}.add")] if keeps else body
            channels, number = filters, number + 1
    layers += [*conv_bn(w, f"features.{number}.0", f"features.{number}.1", channels, 1280, 1), Relu6()]
    return [*layers, GlobalAvgPool(), Flatten(), Dropout(0.2), w.linear("classifier.1", 1280, classes)]


def _inverted(w: LayerMaker, name: str, channels: int, filters: int, stride: int, expansion: int) -> Layers:
    """Return a block; its parts are numbered, so the names depend on whether there is an expansion."""
    layers, part, wide = [], 0, channels * expansion
    if expansion > 1:
        layers, part = [*conv_bn(w, f"{name}.0.0", f"{name}.0.1", channels, wide, 1), Relu6()], 1
    layers += [*depthwise_bn(w, f"{name}.{part}.0", f"{name}.{part}.1", wide, stride), Relu6()]
    return [*layers, *conv_bn(w, f"{name}.{part + 1}", f"{name}.{part + 2}", wide, filters, 1)]
