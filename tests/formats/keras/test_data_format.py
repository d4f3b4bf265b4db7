"""Channels first, channels last, and both in one network: what each layer states about itself is what counts."""

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

from formats.keras.crafted import INPUT, config, entry, expected, h5_bytes, keras_bytes, layers, write
from formats.keras.models import randomize

from cnnfast import Network
from cnnfast.ops import Array

FIRST, LAST = "channels_first", "channels_last"
WRITERS = {"keras2.h5": h5_bytes, "keras3.keras": keras_bytes}


def pixels() -> Array:
    return np.random.default_rng(5).integers(0, 256, (4, *INPUT), dtype=np.uint8)


def channels_first() -> list[dict[str, Any]]:
    """Return the network of `layers` as it is built with channels first, with the same weights."""
    specs = layers()
    for spec in specs:
        if spec["kind"] in ("Conv2D", "MaxPooling2D", "Flatten"):
            spec["config"]["data_format"] = FIRST
    specs[0]["config"]["batch_shape"] = [None, INPUT[2], *INPUT[:2]]
    specs[3]["config"]["axis"] = [1]
    return specs


@pytest.mark.parametrize("writer", WRITERS)
def test_channels_first_throughout(writer: str, tmp_path: Path) -> None:
    """The flatten moves the channels to the end, so that the dense layer of the other network fits."""
    net = Network.load(write(tmp_path / "model", WRITERS[writer](channels_first())))
    assert net.input_shape == (3, 6, 5)
    np.testing.assert_allclose(net.forward(pixels()), expected(layers(), pixels()), rtol=1e-5, atol=1e-6)


def test_a_flatten_left_at_its_default_flattens_as_it_stands(tmp_path: Path) -> None:
    specs = channels_first()
    specs[6]["config"] = {"name": "flat", "data_format": LAST}
    kernel, bias = specs[8]["weights"]
    # rows of the dense layer from the order H, W, C to C, H, W, as this network must have learned it
    specs[8]["weights"] = [kernel.reshape(3, 2, 4, 5).transpose(2, 0, 1, 3).reshape(24, 5), bias]
    net = Network.load(write(tmp_path / "model", h5_bytes(specs)))
    np.testing.assert_allclose(net.forward(pixels()), expected(layers(), pixels()), rtol=1e-5, atol=1e-6)


def test_a_permutation_in_front_of_layers_with_channels_first(tmp_path: Path) -> None:
    specs = channels_first()
    specs[0]["config"]["batch_shape"] = [None, *INPUT]
    turned = entry("turned", "Permute", ["pixels"], {"dims": [3, 1, 2]})
    specs[1]["sources"] = ["turned"]
    net = Network.load(write(tmp_path / "model", h5_bytes([specs[0], turned, *specs[1:]])))
    assert net.input_shape == (3, 6, 5)
    np.testing.assert_allclose(net.forward(pixels()), expected(layers(), pixels()), rtol=1e-5, atol=1e-6)
    assert "transpose" not in {node.op.name for node in net.graph.nodes}


def test_one_layer_of_another_opinion(tmp_path: Path) -> None:
    """A pool that takes rows for channels: over W and C, as Keras does it."""
    x = np.arange(2 * 4 * 6 * 4, dtype=np.float32).reshape(2, 4, 6, 4)
    specs = [
        entry("x", "InputLayer", [], {"batch_shape": [None, 4, 6, 4]}),
        entry("a", "ZeroPadding2D", ["x"], {"padding": 0, "data_format": LAST}),
        entry("y", "AveragePooling2D", ["a"], {"pool_size": [3, 2], "data_format": FIRST}),
    ]
    net = Network.load(write(tmp_path / "model", keras_bytes(specs, config(specs))))
    wanted = x.reshape(2, 4, 2, 3, 2, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(net.forward(x, layout="nhwc").transpose(0, 2, 3, 1), wanted, rtol=1e-6)


FAMILIES: dict[str, Callable[[Any, str], list[Any]]] = {
    "conv": lambda L, f: [L.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", data_format=f)],
    "groups": lambda L, f: [L.Conv2D(4, 1, data_format=f), L.Conv2D(6, 3, groups=2, data_format=f)],
    "softmax": lambda L, f: [L.Conv2D(4, 2, activation="softmax", data_format=f)],
    "depthwise": lambda L, f: [L.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, data_format=f)],
    "separable": lambda L, f: [L.SeparableConv2D(5, (2, 3), activation="elu", data_format=f)],
    "max pool": lambda L, f: [L.MaxPooling2D((2, 3), strides=1, padding="same", data_format=f)],
    "average pool": lambda L, f: [L.AveragePooling2D((3, 1), data_format=f)],
    "global average": lambda L, f: [L.GlobalAveragePooling2D(data_format=f)],
    "global max": lambda L, f: [L.GlobalMaxPooling2D(keepdims=True, data_format=f)],
    "padding": lambda L, f: [L.ZeroPadding2D(((1, 2), (0, 3)), data_format=f)],
    "cropping": lambda L, f: [L.Cropping2D(((1, 2), (0, 1)), data_format=f)],
    "nearest": lambda L, f: [L.UpSampling2D((2, 3), data_format=f)],
    "bilinear": lambda L, f: [L.UpSampling2D(2, interpolation="bilinear", data_format=f)],
    "resizing": lambda L, f: [L.Resizing(5, 9, data_format=f)],
    "shrinking": lambda L, f: [L.Resizing(4, 3, antialias=True, data_format=f)],
    "resizing of a window": lambda L, f: [L.Resizing(4, 8, crop_to_aspect_ratio=True, data_format=f)],
    "resizing, padded": lambda L, f: [L.Resizing(9, 4, pad_to_aspect_ratio=True, fill_value=2.0, data_format=f)],
    "resizing, nearest": lambda L, f: [L.Resizing(5, 12, interpolation="nearest", data_format=f)],
    "center": lambda L, f: [L.CenterCrop(4, 3, data_format=f)],
    "center of a small image": lambda L, f: [L.CenterCrop(4, 12, data_format=f)],
    "batch-norm of channels": lambda L, f: [L.BatchNormalization(axis=1 if f == FIRST else -1)],
    "batch-norm of rows": lambda L, f: [L.Conv2D(4, 1, data_format=f), L.BatchNormalization(axis=2)],
    "layer-norm": lambda L, f: [L.LayerNormalization(), L.LayerNormalization(axis=[1, 2, 3])],
    "prelu": lambda L, f: [L.PReLU(), L.PReLU(shared_axes=[1]), L.PReLU(shared_axes=[2, 3])],
    "normalization": lambda L, f: [L.Normalization(axis=1), L.Rescaling(0.5, offset=1)],
    "softmax layer": lambda L, f: [L.Conv2D(4, 1, data_format=f), L.Softmax(axis=1), L.Softmax(axis=-1)],
    "dense on the last axis": lambda L, f: [L.Conv2D(4, 1, data_format=f), L.Dense(5, activation="tanh")],
    "dense on rows": lambda L, f: [
        L.Reshape((-1, 4)),
        L.Dense(5),
        L.BatchNormalization(),
        L.PReLU(),
        L.Permute((2, 1)),
    ],
    "reshape": lambda L, f: [L.Conv2D(4, 1, data_format=f), L.Reshape((4, -1, 2)), L.ReLU()],
    "permute": lambda L, f: [L.Permute((2, 3, 1)), L.Conv2D(4, 2, data_format=f), L.ReLU(), L.Conv2D(2, 1)],
    "flatten and back": lambda L, f: [
        L.Flatten(data_format=f),
        L.BatchNormalization(),
        L.PReLU(),
        L.Reshape((6, 8, 4)),
    ],
    "dropout": lambda L, f: [L.SpatialDropout2D(0.3, data_format=f), L.RandomFlip(data_format=f)],
}
"""For each family of layers a few of them, in one of the two formats; images are 8x6x4 or 4x8x6."""


@pytest.mark.parametrize(("own", "flat"), [(FIRST, FIRST), (FIRST, LAST), (LAST, FIRST)])
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_every_family_in_both_formats_against_keras(name: str, own: str, flat: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras", reason="building models of Keras needs keras and torch")
    logging.disable(logging.WARNING)
    keras.backend.clear_session()
    shape = (4, 8, 6) if flat == FIRST else (8, 6, 4)
    first = keras.layers.Conv2D(4, 1, data_format=flat)
    images = np.random.default_rng(1).standard_normal((3, *shape)).astype(np.float32)
    try:
        tail = [keras.layers.Flatten(data_format=flat), keras.layers.Dense(4)]
        model = keras.Sequential([keras.layers.Input(shape), first, *FAMILIES[name](keras.layers, own), *tail])
        wanted = np.asarray(randomize(model)(images, training=False).detach())
    except ValueError as error:
        pytest.skip(f"Keras itself cannot: {error!s:.80}")
    finally:
        logging.disable(logging.NOTSET)
    model.save(tmp_path / "model.keras")
    net = Network.load(tmp_path / "model.keras")
    result = net.forward(images, layout="nchw" if flat == FIRST else "nhwc")
    np.testing.assert_allclose(result, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
