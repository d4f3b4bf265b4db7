"""Small gray pictures of bars, flat, steep or slanted, and a network that learns them in less than a second."""

from __future__ import annotations

import numpy as np

from cnnfast import Network, Preprocess
from cnnfast.architectures.weights import LayerMaker
from cnnfast.layers import BatchNorm, Dropout, Flatten, MaxPool, Relu

CLASSES = ("flat", "steep", "slanted")


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images (N, 8, 8, 1) with a bright bar each, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 60, (count, 8, 8, 1), dtype=np.uint8)
    places = rng.integers(1, 7, count)
    for image, label, place in zip(images, labels, places, strict=True):
        bar = {0: (place, slice(None)), 1: (slice(None), place), 2: (np.arange(8), np.arange(8))}[int(label)]
        image[(*bar, 0)] += 150
    return images, labels


def network(norm: bool = False, dropout: bool = False) -> Network:
    """Return a convolution, a pool and a dense layer, with what else is to be tested."""
    make = LayerMaker(0)
    ones, zeros = np.ones(6), np.zeros(6)
    layers = [
        make.conv("conv", 1, 6, 3),
        *([BatchNorm(ones, zeros, zeros, ones, name="norm")] if norm else []),
        Relu(),
        MaxPool(2, name="pool"),
        Flatten(name="flat"),
        *([Dropout(0.2)] if dropout else []),
        make.linear("dense", 96, 3),
    ]
    preprocess = Preprocess(size=(8, 8), channels="gray")
    return Network.from_layers(layers, (1, 8, 8), classes=CLASSES, preprocess=preprocess)
