"""Random networks whose layers disagree about where the channels are: the same results as Keras."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py", reason="writing models of Keras needs h5py")
os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", reason="building models of Keras needs keras and torch")

from formats.keras.models import randomize

from cnnfast import Network
from cnnfast.formats.keras.order import order_of
from cnnfast.ops import Array

pytestmark = pytest.mark.filterwarnings("ignore")
L = keras.layers


class Chance:
    """What a random layer is made of."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def up_to(self, most: int, least: int = 1) -> int:
        return int(self.rng.integers(least, most + 1))

    def image(self) -> dict[str, Any]:
        return dict(data_format=self.one("channels_first", "channels_last"))

    def window(self) -> dict[str, Any]:
        return self.image() | dict(padding=self.one("same", "valid"))

    def sides(self, most: int) -> tuple[tuple[int, int], tuple[int, int]]:
        top, bottom, left, right = (self.up_to(most, 0) for _ in range(4))
        return (top, bottom), (left, right)


LAYERS: list[Callable[[Chance], Any]] = [
    lambda c: L.Conv2D(c.up_to(4), (c.up_to(3), c.up_to(3)), strides=c.up_to(2), activation="relu", **c.window()),
    lambda c: L.Conv2D(c.up_to(4), 1, activation=c.one("softmax", "gelu", "tanh"), **c.image()),
    lambda c: L.DepthwiseConv2D((c.up_to(3), c.up_to(3)), depth_multiplier=c.up_to(2), **c.window()),
    lambda c: L.SeparableConv2D(c.up_to(4), c.up_to(3), **c.window()),
    lambda c: L.MaxPooling2D((c.up_to(3), c.up_to(3)), strides=c.one(None, 1, 2), **c.window()),
    lambda c: L.AveragePooling2D((c.up_to(3), c.up_to(3)), strides=c.one(None, 1), **c.image()),
    lambda c: L.GlobalAveragePooling2D(keepdims=c.one(True, False), **c.image()),
    lambda c: L.ZeroPadding2D(c.sides(2), **c.image()),
    lambda c: L.Cropping2D(c.sides(1), **c.image()),
    lambda c: L.UpSampling2D((c.up_to(2), c.up_to(3)), interpolation=c.one("nearest", "bilinear"), **c.image()),
    lambda c: L.Resizing(c.up_to(8), c.up_to(8), crop_to_aspect_ratio=c.one(True, False), **c.image()),
    lambda c: L.Resizing(c.up_to(8), c.up_to(8), pad_to_aspect_ratio=True, fill_value=1.5, **c.image()),
    lambda c: L.CenterCrop(c.up_to(6), c.up_to(6), **c.image()),
    lambda c: L.BatchNormalization(axis=c.one(-1, 1, 2), scale=c.one(True, False)),
    lambda c: L.PReLU(shared_axes=c.one(None, [1], [1, 2], [2, 3], [1, 3])),
    lambda c: L.Softmax(axis=c.one(-1, 1)),
    lambda c: L.Flatten(**c.image()),
    lambda c: L.Dense(c.up_to(6)),
    lambda c: L.Permute(c.one((2, 1, 3), (3, 1, 2), (2, 3, 1), (2, 1))),
    lambda c: L.Reshape(c.one((-1,), (-1, 2), (-1, 2, 2), (2, 2, -1))),
    lambda c: L.Activation(c.one("silu", "mish", "selu")),
]


def network(chance: Chance) -> Any:
    """Build a network of a few layers, each of which Keras accepts in its place."""
    x = first = L.Input([chance.up_to(6, 2) for _ in range(chance.one(2, 3, 3, 3))])
    for _ in range(chance.up_to(8, 3)):
        make = chance.one(*LAYERS)
        try:
            y = L.Add()([x, make(chance)(x)]) if chance.rng.random() < 0.1 else make(chance)(x)
        except Exception:  # a layer that does not fit the value, by whatever Keras calls it
            continue
        if len(y.shape) <= 4 and all(y.shape[1:]):
            x = y
    return keras.Model(first, x)


def agree(model: Any, path: Path, images: Array) -> None:
    model.save(path)
    net = Network.load(path, preprocess=None)
    order = order_of(path, net.input_shape)
    layout = {True: "nhwc", False: "nchw"}[order.channels_last] if images.ndim == 4 else None
    result = net.forward(images, layout=layout)
    wanted = np.asarray(model(images, training=False).detach())
    if result.ndim == 4 and order.channels_last:
        result = result.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-5 * max(np.abs(wanted).max(), 1e-3))


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    keras.backend.clear_session()
    logging.disable(logging.WARNING)
    for part in range(4):
        chance = Chance(100 * seed + part)
        model = randomize(network(chance), seed)
        if any(
            layer.name.startswith(("resizing", "center_crop")) and len(layer.output.shape) < 4 for layer in model.layers
        ):
            continue  # Keras takes them for one image without an axis of images
        images = chance.rng.standard_normal((3, *model.input_shape[1:])).astype(np.float32)
        agree(model, tmp_path / "model.keras", images)
    logging.disable(logging.NOTSET)
