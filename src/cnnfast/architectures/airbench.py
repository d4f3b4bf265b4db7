"""Networks that learn CIFAR-10 quickly. Jordan, 2024 (2404.00498)."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Flatten, Gelu, GlobalMaxPool, MaxPool, Residual
from cnnfast.ops import Shape


@register(
    "airbench",
    "airbench94 with a shortcut in each block: a 2x2 convolution to be whitened, six of 3x3, GELU in its tanh form",
    (3, 32, 32),
)
def airbench(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return three blocks of 64, 256 and 256 filters; each halves the image first."""
    patch = 2 * shape[0] * 2 * 2
    layers: Layers = [w.conv("whiten", shape[0], patch, 2, padding=0, bias=False), Gelu("tanh")]
    channels = patch
    for number, filters in enumerate((64, 256, 256), 1):
        name = f"block{number}"
        layers += [
            w.conv(f"{name}.conv1", channels, filters, 3, bias=False),
            MaxPool(2),
            w.batch_norm(f"{name}.norm1", filters),
            Gelu("tanh"),
            Residual(
                [w.conv(f"{name}.conv2", filters, filters, 3, bias=False), w.batch_norm(f"{name}.norm2", filters)],
                name=f"{name}.add",
            ),
            Gelu("tanh"),
        ]
        channels = filters
    return [*layers, GlobalMaxPool(), Flatten(), w.linear("dense", channels, classes)]
