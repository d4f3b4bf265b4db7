"""ResNet: chains of blocks with a shortcut around each. He et al., 2015 (1512.03385)."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Flatten, GlobalAvgPool, MaxPool, Pad, Relu, Residual
from cnnfast.ops import Shape


def conv_bn(w: LayerMaker, conv: str, bn: str, channels: int, filters: int, kernel: int, stride: int = 1) -> Layers:
    """Return a convolution without bias, and batch-norm."""
    return [w.conv(conv, channels, filters, kernel, stride=stride, bias=False), w.batch_norm(bn, filters)]


def basic_body(w: LayerMaker, name: str, channels: int, filters: int, stride: int) -> Layers:
    """Return two 3x3 convolutions."""
    first = conv_bn(w, f"{name}.conv1", f"{name}.bn1", channels, filters, 3, stride)
    return [*first, Relu(), *conv_bn(w, f"{name}.conv2", f"{name}.bn2", filters, filters, 3)]


def bottleneck_body(w: LayerMaker, name: str, channels: int, filters: int, stride: int) -> Layers:
    """Return a 1x1, a 3x3 and a 1x1 convolution; as in torchvision the 3x3 convolution has the stride."""
    narrow = filters // 4
    layers = [*conv_bn(w, f"{name}.conv1", f"{name}.bn1", channels, narrow, 1), Relu()]
    layers += [*conv_bn(w, f"{name}.conv2", f"{name}.bn2", narrow, narrow, 3, stride), Relu()]
    return [*layers, *conv_bn(w, f"{name}.conv3", f"{name}.bn3", narrow, filters, 1)]


def projection(w: LayerMaker, name: str, channels: int, filters: int, stride: int) -> Layers:
    """Return the shortcut of option B, a 1x1 convolution, where a block changes the shape."""
    if channels == filters and stride == 1:
        return []
    return conv_bn(w, f"{name}.0", f"{name}.1", channels, filters, 1, stride)


def padded_pixels(name: str, channels: int, filters: int, stride: int) -> Layers:
    """Return the shortcut of option A, without weights: every second pixel, between channels of zeros."""
    if channels == filters and stride == 1:
        return []
    missing = filters - channels
    around = (missing // 2, missing - missing // 2)
    return [MaxPool(1, stride, name=f"{name}.pixels"), Pad(0, channels=around, name=f"{name}.zeros")]


def _register_cifar(depth: int) -> None:
    blocks = (depth - 2) // 6
    title = f"ResNet-{depth} of the paper, option A; names as in akamaster/pytorch_resnet_cifar10"

    @register(f"resnet{depth}-cifar", title, (3, 32, 32), distinct=True)
    def resnet(w: LayerMaker, shape: Shape, classes: int) -> Layers:
        layers, channels = [*conv_bn(w, "conv1", "bn1", shape[0], 16, 3), Relu()], 16
        for stage, filters in enumerate((16, 32, 64), 1):
            for block in range(blocks):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
                around = padded_pixels(f"{name}.shortcut", channels, filters, stride)
                body = basic_body(w, name, channels, filters, stride)
                layers += [Residual(body, around, name=f"{name}.add"), Relu()]
                channels = filters
        return [*layers, GlobalAvgPool(), Flatten(), w.linear("linear", 64, classes)]


for _depth in (20, 32, 44, 56, 110):
    _register_cifar(_depth)


@register(
    "resnet18-cifar",
    "ResNet-18 whose stem keeps the image's size; names as in kuangliu/pytorch-cifar",
    (3, 32, 32),
    distinct=True,
)
def resnet18_cifar(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return ResNet-18 for small images."""
    layers = [*conv_bn(w, "conv1", "bn1", shape[0], 64, 3), Relu()]
    layers += _stages(w, ((64, 2), (128, 2), (256, 2), (512, 2)), "basic", "shortcut")
    return [*layers, GlobalAvgPool(), Flatten(), w.linear("linear", 512, classes)]


def _stages(w: LayerMaker, stages: tuple[tuple[int, int], ...], kind: str, shortcut: str) -> Layers:
    """Return the blocks of all stages, (filters, blocks) each; the first block of all but the first has stride 2."""
    layers: Layers = []
    channels = 64
    body = bottleneck_body if kind == "bottleneck" else basic_body
    for stage, (filters, blocks) in enumerate(stages, 1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
            around = projection(w, f"{name}.{shortcut}", channels, filters, stride)
            layers += [Residual(body(w, name, channels, filters, stride), around, name=f"{name}.add"), Relu()]
            channels = filters
    return layers


IMAGENET = {
    "resnet18": ("basic", ((64, 2), (128, 2), (256, 2), (512, 2))),
    "resnet34": ("basic", ((64, 3), (128, 4), (256, 6), (512, 3))),
    "resnet50": ("bottleneck", ((256, 3), (512, 4), (1024, 6), (2048, 3))),
    "resnet101": ("bottleneck", ((256, 3), (512, 4), (1024, 23), (2048, 3))),
}
"""Table 1 of the paper: the kind of block, and filters and blocks of each stage."""


def _register(name: str) -> None:
    kind, stages = IMAGENET[name]

    @register(name, f"ResNet-{name[6:]} for ImageNet; names as in torchvision", (3, 224, 224), 1000, distinct=True)
    def resnet(w: LayerMaker, shape: Shape, classes: int) -> Layers:
        layers = [*conv_bn(w, "conv1", "bn1", shape[0], 64, 7, 2), Relu(), MaxPool(3, 2, 1)]
        layers += _stages(w, stages, kind, "downsample")
        return [*layers, GlobalAvgPool(), Flatten(), w.linear("fc", stages[-1][0], classes)]


for _name in IMAGENET:
    _register(_name)
