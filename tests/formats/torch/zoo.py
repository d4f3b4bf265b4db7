"""Image classifiers as people write them in PyTorch, in small: each family's own way of putting layers together.

The code is this project's; the structures are those of the papers that the functions name.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402


def conv_bn(channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1, act: str = "ReLU") -> nn.Module:
    """Return convolution, batch-norm and an activation of ``torch.nn``; "" for none."""
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), *([getattr(nn, act)()] if act else []))


class Shortcut(nn.Module):
    """The sum of a body and what goes around it, then an activation."""

    def __init__(self, body: nn.Module, around: nn.Module | None = None, act: str = "ReLU") -> None:
        super().__init__()
        self.body, self.around = body, around or nn.Identity()
        self.act = getattr(nn, act)() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.around(x))


class Gate(nn.Module):
    """Squeeze-and-excitation (1709.01507): each channel times its own number."""

    def __init__(self, channels: int, squeezed: int, act: str = "ReLU", gate: str = "Sigmoid") -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.act, self.gate = getattr(nn, act)(), getattr(nn, gate)()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.act(self.fc1(self.pool(x)))))


def head(features: int, classes: int = 10) -> list[nn.Module]:
    """Return global average and a dense layer."""
    return [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(features, classes)]


class ResNet(nn.Module):
    """1512.03385, with in-place activations and the stem for large images; the head is written with functions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        blocks, channels = [], 16
        for filters, stride in ((16, 1), (32, 2), (32, 1), (64, 2)):
            body = nn.Sequential(conv_bn(channels, filters, 3, stride), conv_bn(filters, filters, 3, act=""))
            around = conv_bn(channels, filters, 1, stride, act="") if stride > 1 else None
            blocks.append(Shortcut(body, around))
            channels = filters
        self.blocks, self.fc = nn.ModuleList(blocks), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Padded(nn.Module):
    """The shortcut of option A: every second pixel, between channels of zeros."""

    def __init__(self, missing: int) -> None:
        super().__init__()
        self.missing = missing

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.missing // 2, self.missing // 2), "constant", 0)


def resnet_option_a() -> nn.Module:
    """1512.03385, section 4.2."""
    body = nn.Sequential(conv_bn(16, 32, 3, 2), conv_bn(32, 32, 3, act=""))
    return nn.Sequential(conv_bn(3, 16, 3), Shortcut(body, Padded(16)), *head(32))


def vgg() -> nn.Module:
    """1409.1556."""
    layers: list[nn.Module] = []
    channels = 3
    for filters in (16, 32, 32):
        layers += [conv_bn(channels, filters, 3), nn.Conv2d(filters, filters, 3, padding="same"), nn.ReLU(True)]
        layers.append(nn.MaxPool2d(2, 2))
        channels = filters
    layers += [nn.AdaptiveAvgPool2d((4, 4)), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(True), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


class DenseLayer(nn.Module):
    """Norm, activation, convolution, twice; its result is appended to what it read."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))
        return torch.cat([x, y], 1)


def densenet() -> nn.Module:
    """1608.06993."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False)]
    channels = 16
    for block in range(2):
        for _ in range(3):
            layers.append(DenseLayer(channels, 8))
            channels += 8
        if block == 0:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 20, 1, bias=False), nn.AvgPool2d(2)]
            channels = 20
    return nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(), *head(channels))


def inverted(
    channels: int, filters: int, stride: int, expansion: int, act: str, gate: Callable | None = None, kernel: int = 3
) -> nn.Module:
    """Return an inverted residual block: wide and depthwise inside."""
    wide = channels * expansion
    layers = [conv_bn(channels, wide, 1, act=act)] if expansion > 1 else []
    layers += [conv_bn(wide, wide, kernel, stride, groups=wide, act=act), *([gate(wide)] if gate else [])]
    body = nn.Sequential(*layers, conv_bn(wide, filters, 1, act=""))
    return Shortcut(body, act="") if stride == 1 and channels == filters else body


def mobilenet_v2() -> nn.Module:
    """1801.04381."""
    blocks = [inverted(16, 8, 1, 1, "ReLU6"), inverted(8, 12, 2, 6, "ReLU6"), inverted(12, 12, 1, 6, "ReLU6")]
    last = [conv_bn(12, 48, 1, act="ReLU6"), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(48, 10)]
    return nn.Sequential(conv_bn(3, 16, 3, 2, act="ReLU6"), *blocks, *last)


def mobilenet_v3() -> nn.Module:
    """1905.02244: hard swish, and gates with a hard sigmoid."""

    def gate(channels: int) -> nn.Module:
        return Gate(channels, channels // 4, gate="Hardsigmoid")

    blocks = [inverted(16, 16, 2, 1, "ReLU", gate), inverted(16, 24, 2, 4, "Hardswish", gate, kernel=5)]
    blocks.append(inverted(24, 24, 1, 3, "Hardswish", gate, kernel=5))
    last = [conv_bn(24, 64, 1, act="Hardswish"), nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]
    last += [nn.Linear(64, 80), nn.Hardswish(inplace=True), nn.Dropout(0.2), nn.Linear(80, 10)]
    return nn.Sequential(conv_bn(3, 16, 3, 2, act="Hardswish"), *blocks, *last)


def efficientnet() -> nn.Module:
    """1905.11946: SiLU, and gates with SiLU inside."""

    def gate(channels: int) -> nn.Module:
        return Gate(channels, 4, act="SiLU")

    blocks = [inverted(16, 8, 1, 1, "SiLU", gate), inverted(8, 12, 2, 6, "SiLU", gate, kernel=5)]
    blocks.append(inverted(12, 12, 1, 6, "SiLU", gate, kernel=5))
    return nn.Sequential(conv_bn(3, 16, 3, 2, act="SiLU"), *blocks, conv_bn(12, 48, 1, act="SiLU"), *head(48))


class Shuffle(nn.Module):
    """Half of the channels go around, then both halves are dealt out like cards; with stride 2 both are computed."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride, half = stride, filters // 2
        inside = channels if stride > 1 else half
        depthwise = conv_bn(half, half, 3, stride, groups=half, act="")
        self.right = nn.Sequential(conv_bn(inside, half, 1), depthwise, conv_bn(half, half, 1))
        self.left = nn.Sequential(conv_bn(inside, inside, 3, stride, groups=inside, act=""), conv_bn(inside, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            left, right = x.chunk(2, dim=1)
        else:
            left, right = self.left(x), x
        y = torch.cat((left, self.right(right)), dim=1)
        n, c, h, w = y.size()
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class ShuffleNet(nn.Module):
    """1807.11164; the head takes the mean over two axes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3, 2), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.blocks = nn.Sequential(Shuffle(12, 24, 2), Shuffle(24, 24, 1), Shuffle(24, 24, 1))
        self.fc = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.stem(x)).mean([2, 3]))


class Fire(nn.Module):
    """1602.07360: squeeze, then two convolutions side by side."""

    def __init__(self, channels: int, squeezed: int, filters: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.narrow, self.wide = nn.Conv2d(squeezed, filters, 1), nn.Conv2d(squeezed, filters, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.squeeze(x))
        return torch.cat([F.relu(self.narrow(x)), F.relu(self.wide(x))], dim=1)


def squeezenet() -> nn.Module:
    """1602.07360: the classifier is a convolution."""
    first = [nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)]
    fires = [Fire(16, 4, 16), Fire(32, 4, 16), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(32, 8, 24)]
    last = [nn.Dropout(0.5), nn.Conv2d(48, 10, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()]
    return nn.Sequential(*first, *fires, *last)


def regnet() -> nn.Module:
    """2003.13678: grouped convolutions and gates (RegNetY)."""
    blocks, channels = [], 16
    for filters, stride in ((24, 2), (24, 1), (48, 2)):
        body = [conv_bn(channels, filters, 1), conv_bn(filters, filters, 3, stride, groups=filters // 8)]
        body += [Gate(filters, channels // 4), conv_bn(filters, filters, 1, act="")]
        around = conv_bn(channels, filters, 1, stride, act="") if stride > 1 else None
        blocks.append(Shortcut(nn.Sequential(*body), around))
        channels = filters
    return nn.Sequential(conv_bn(3, 16, 3, 2), *blocks, *head(48))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel of an image (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class NextBlock(nn.Module):
    """A depthwise convolution, then norm and dense layers with the channels last, then a trained scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.narrow(F.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """2201.03545."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 4, 4), ChannelNorm(16, eps=1e-6))
        self.down = nn.Sequential(ChannelNorm(16, eps=1e-6), nn.Conv2d(16, 24, 2, 2))
        self.first, self.second = NextBlock(16), NextBlock(24)
        self.norm, self.fc = nn.LayerNorm(24, eps=1e-6), nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.down(self.first(self.stem(x))))
        return self.fc(self.norm(x.mean([-2, -1])))


ZOO: dict[str, Callable[[], nn.Module]] = {
    "resnet": ResNet,
    "resnet-option-a": resnet_option_a,
    "vgg": vgg,
    "densenet": densenet,
    "mobilenet-v2": mobilenet_v2,
    "mobilenet-v3": mobilenet_v3,
    "efficientnet": efficientnet,
    "shufflenet-v2": ShuffleNet,
    "squeezenet": squeezenet,
    "regnet": regnet,
    "convnext": ConvNext,
}
"""Every network, on images of 3 x 32 x 32."""


def trained(name: str, seed: int = 0) -> nn.Module:
    """Return a network in evaluation mode, with weights and statistics that let the images through."""
    torch.manual_seed(seed)
    module = ZOO[name]()
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
            nn.init.normal_(part.bias, std=0.2) if part.bias is not None else None
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.normal_(part.running_mean, std=0.2)
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.normal_(part.bias, std=0.2)
    return module.eval()
