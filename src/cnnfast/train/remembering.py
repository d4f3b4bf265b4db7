"""A network that carries features of pictures that it has learned from, so that they can be mixed with new ones."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.data import Dataset, relabel
from cnnfast.data.base import of_each_class
from cnnfast.errors import DataError, UnsupportedError
from cnnfast.formats import Model
from cnnfast.formats.narrow import LARGEST
from cnnfast.formats.remembered import Remembered
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.arguments import instance, whole
from cnnfast.train.fitting import Data
from cnnfast.train.reading import as_examples
from cnnfast.train.transfer import kept

PER_CLASS = 100
"""Pictures of each class that are remembered by default: half a megabyte for ten classes and 256 features."""


def remember(net: Network, data: Data, *, per_class: int = PER_CLASS, progress: bool | None = None) -> Network:
    """Return the network with features of pictures that it has learned from, which `replay` mixes with new ones.

    They are what the last dense layer reads, in float16, and travel in the model file. They replace what the network
    remembered before.

    Parameters
    ----------
    net : Network
        Of floats.
    data : Dataset, Examples, or (images, labels)
        With labels, which are those of the network, as for `fit`.
    per_class : int
        Of each class at most that many are taken, spread evenly.
    progress : bool, optional
        As for `load_examples`.

    Raises
    ------
    DataError
        If a class of the network has no picture: it would be forgotten.
    UnsupportedError
        If the network computes with integers, or a feature is too large for float16.
    GraphError
        If it has no layer before a last dense one.

    Examples
    --------
    >>> net = Network.load("cifar10-cs61c")
    >>> images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    >>> print(remember(net, (images, np.arange(30) % 10), per_class=2).remembered)
    features of 20 pictures, at most 2 of a class (12,880 bytes)
    """
    instance("the network", net, Network, "such as Network.load(...)")
    whole("per_class", per_class, least=1)
    if net.graph.is_quantized:
        raise UnsupportedError("a network of integers cannot be trained; let that of floats remember pictures")
    layer = feature_layer(net.graph)
    names = tuple(map(str, net.classes_))
    if isinstance(data, Dataset) and data.labels is not None:
        # those of other pictures are not even read
        data = relabel(data, names).of_each_class(per_class)
    examples = as_examples(data, "the pictures to remember", names, net.preprocess, progress)
    examples = examples.take(of_each_class(examples.numbers, per_class))
    _check_classes(examples.numbers, names, examples.name)
    features = kept(net.truncate(layer), examples.images, None, progress=progress)
    remembered = Remembered(narrowed(features.reshape(len(features), -1)), examples.numbers.astype(np.int32))
    return with_remembered(net, remembered)


def with_remembered(net: Network, remembered: Remembered | None) -> Network:
    """Return a network that remembers something else."""
    return Network(Model(net.graph, net.preprocess, net.class_names, net.license, net.notes, remembered))


def _check_classes(numbers: Array, names: tuple[str, ...], source: str) -> None:
    counts = np.bincount(numbers, minlength=len(names))
    if len(counts) > len(names):
        raise DataError(f"{source}: has the label {numbers.max()}, but the network has {len(names)} classes")
    if missing := [name for name, count in zip(names, counts, strict=True) if not count]:
        raise DataError(
            f"{source}: no picture shows {', '.join(missing[:8])}{', …' if len(missing) > 8 else ''}; a class that is "
            "not remembered would be forgotten: add a few pictures of each"
        )


def narrowed(features: Array) -> Array:
    """Return features in float16, or raise `UnsupportedError` where one is too large."""
    largest = float(np.abs(features).max(initial=0))
    if not math.isfinite(largest) or largest > LARGEST:
        raise UnsupportedError(
            f"a feature of these pictures is {largest:g}, and float16, which remembers them, ends at {LARGEST:,.0f}"
        )
    return features.astype(np.float16)
