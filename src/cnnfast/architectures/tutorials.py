"""The networks of PyTorch's own examples and tutorials, which many people have trained."""

from __future__ import annotations

from cnnfast.architectures.architecture import register
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.layers import Dropout, Flatten, MaxPool, Relu
from cnnfast.ops import Shape


@register(
    "mnist-pytorch",
    "PyTorch's MNIST example: two 3x3 convolutions of 32 and 64 filters, a pool, dense layers of 128 and K",
    (1, 28, 28),
    distinct=True,
)
def mnist(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return conv-relu twice without padding, one pool, and two dense layers; names as in pytorch/examples/mnist."""
    height, width = ((size - 4) // 2 for size in shape[1:])
    layers = [w.conv("conv1", shape[0], 32, 3, padding=0), Relu(), w.conv("conv2", 32, 64, 3, padding=0), Relu()]
    layers += [MaxPool(2), Dropout(0.25), Flatten(), w.linear("fc1", 64 * height * width, 128), Relu(), Dropout(0.5)]
    return [*layers, w.linear("fc2", 128, classes)]


@register(
    "mnist-pytorch-2018",
    "PyTorch's MNIST example before 2019: two 5x5 convolutions of 10 and 20 filters, dense layers of 50 and K",
    (1, 28, 28),
    distinct=True,
)
def mnist_2018(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return conv-pool-relu twice without padding, and two dense layers."""
    height, width = (((size - 4) // 2 - 4) // 2 for size in shape[1:])
    layers = [w.conv("conv1", shape[0], 10, 5, padding=0), MaxPool(2), Relu()]
    layers += [w.conv("conv2", 10, 20, 5, padding=0), Dropout(), MaxPool(2), Relu(), Flatten()]
    return [*layers, w.linear("fc1", 20 * height * width, 50), Relu(), Dropout(), w.linear("fc2", 50, classes)]


@register("quickstart", "PyTorch's quickstart tutorial: 784-512-512-10 with ReLU", (1, 28, 28), distinct=True)
def quickstart(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return three dense layers, named as in the tutorial."""
    layers = [Flatten(), w.linear("linear_relu_stack.0", shape[0] * shape[1] * shape[2], 512), Relu()]
    return [*layers, w.linear("linear_relu_stack.2", 512, 512), Relu(), w.linear("linear_relu_stack.4", 512, classes)]


@register(
    "cnn-32-64", "two 3x3 convolutions with padding, each with relu and pool, dense layers of 128 and K", (1, 28, 28)
)
def two_convs(w: LayerMaker, shape: Shape, classes: int) -> Layers:
    """Return conv-relu-pool twice, and two dense layers."""
    layers = [w.conv("conv1", shape[0], 32, 3), Relu(), MaxPool(2), w.conv("conv2", 32, 64, 3), Relu(), MaxPool(2)]
    features = 64 * (shape[1] // 4) * (shape[2] // 4)
    return [*layers, Flatten(), w.linear("fc1", features, 128), Relu(), w.linear("fc2", 128, classes)]
