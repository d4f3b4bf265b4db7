"""Networks by name, untrained: for weights that come without a network, and for training.

To add one, write a function from (weights, input shape, classes) to layers and decorate it with `register`.

===========  ===========================================================
`registry`   the list, and how a name becomes a graph
`weights`    makes layers with random weights, or with zeros to be filled
`initial`    the random weights that training begins with
`plain`      chains of convolutions and dense layers
`tutorials`  what PyTorch's examples and tutorials train
`vgg`        VGG for small images and for ImageNet
`resnet`     ResNet for CIFAR and for ImageNet
`mobilenet`  MobileNetV2 for CIFAR and for ImageNet
`airbench`   made to learn CIFAR-10 quickly
===========  ===========================================================
"""

from __future__ import annotations

import cnnfast.architectures.airbench
import cnnfast.architectures.mobilenet
import cnnfast.architectures.plain
import cnnfast.architectures.resnet
import cnnfast.architectures.tutorials
import cnnfast.architectures.vgg  # noqa: F401  (each registers its networks)
from cnnfast.architectures.architecture import ARCHITECTURES, Architecture, build, find, register
from cnnfast.architectures.weights import LayerMaker, Layers

__all__ = ["ARCHITECTURES", "Architecture", "LayerMaker", "Layers", "build", "find", "register"]
