"""Small models of Keras, each with what it is there for; built with random weights, running statistics included."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

Make = Callable[[Any, Any], Any]
"""Builds a model out of the modules keras and keras.layers."""

MODELS: dict[str, Make] = {}


def model(make: Make) -> Make:
    MODELS[make.__name__] = make
    return make


def randomize(model: Any, seed: int = 0, gain: float = 1.5) -> Any:
    """Give every weight a random value that keeps the values of the network near 1; no statistic stays 0 or 1."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        shape, name = tuple(variable.shape), variable.name.split("/")[-1].split(":")[0]
        if (not shape and "count" not in name) or "seed" in name:
            continue
        if "kernel" in name:
            depthwise = len(shape) == 4 and ("depthwise" in variable.path or shape[3] == 1)
            fan_in = np.prod(shape[:2] if depthwise else shape[:-1])
            value = rng.standard_normal(shape) * np.sqrt(gain / fan_in)
        elif "variance" in name or "gamma" in name:
            value = rng.uniform(0.5, 1.5, shape)
        elif "alpha" in name:
            value = rng.uniform(0.1, 0.4, shape)
        else:
            value = rng.standard_normal(shape) * 0.2
        variable.assign(value.astype(np.float32) if shape else np.array(1))
    return model


@model
def sequential(keras: Any, L: Any) -> Any:
    return keras.Sequential(
        [
            L.Input((9, 8, 3)),
            L.Conv2D(5, 3, strides=2, padding="same", activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling2D(2, strides=1, padding="same"),
            L.Flatten(),
            L.Dropout(0.3),
            L.Dense(7, activation="tanh"),
            L.Dense(4, activation="softmax"),
        ]
    )


@model
def without_input_layer(keras: Any, L: Any) -> Any:
    built = keras.Sequential([L.Conv2D(4, (2, 3), use_bias=False), L.GlobalMaxPooling2D(), L.Dense(3)])
    built.build((None, 6, 7, 1))
    return built


@model
def preprocessing(keras: Any, L: Any) -> Any:
    x = i = L.Input((8, 8, 3))
    x = L.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 0.6, 2.0])(x)
    x = L.RandomFlip("horizontal")(x)
    x = L.Conv2D(4, 3)(x)
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


@model
def adapted_normalization(keras: Any, L: Any) -> Any:
    x = i = L.Input((8, 8, 3))
    x = L.Normalization()(x)
    x = L.Conv2D(4, 3)(x)
    x = L.Normalization()(x)
    x = L.Rescaling([0.5, 1.0, 2.0, 3.0], offset=[1, 2, 3, 4])(x)
    return keras.Model(i, L.Flatten()(x))


@model
def depthwise_and_separable(keras: Any, L: Any) -> Any:
    x = i = L.Input((10, 9, 3))
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="silu")(x)
    x = L.SeparableConv2D(6, 3, depth_multiplier=2, dilation_rate=2, padding="same", activation="elu")(x)
    x = L.Conv2D(4, 3, groups=2, dilation_rate=2)(x)
    return keras.Model(i, L.GlobalAveragePooling2D(keepdims=True)(x))


@model
def squeeze_and_excitation(keras: Any, L: Any) -> Any:
    x = i = L.Input((8, 8, 4))
    gate = L.GlobalAveragePooling2D()(x)
    gate = L.Reshape((1, 1, 4))(gate)
    gate = L.Conv2D(2, 1, activation="relu")(gate)
    gate = L.Conv2D(4, 1, activation="hard_sigmoid")(gate)
    x = L.Multiply()([x, gate])
    flat = L.Dense(4, activation="sigmoid")(L.GlobalMaxPooling2D()(x))
    x = L.Multiply()([x, flat])
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@model
def merges(keras: Any, L: Any) -> Any:
    x = i = L.Input((6, 5, 4))
    a, b = L.Conv2D(4, 1)(x), L.Conv2D(4, 3, padding="same")(x)
    parts = [L.Add()([x, a, b]), L.Subtract()([a, b]), L.Average()([x, a, b]), L.Maximum()([a, b]), L.Minimum()([a, x])]
    x = L.Concatenate()([*parts, a])
    x = L.Concatenate(axis=2)([x, x])
    return keras.Model(i, L.GlobalAveragePooling2D()(x))


@model
def shapes(keras: Any, L: Any) -> Any:
    x = i = L.Input((6, 5, 4))
    x = L.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = L.Cropping2D(((0, 1), (2, 1)))(x)
    x = L.UpSampling2D((2, 3))(x)
    x = L.UpSampling2D(2, interpolation="bilinear")(x)
    x = L.AveragePooling2D(3, strides=2, padding="same")(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.Reshape((-1, 4))(x)
    x = L.Dense(3)(x)
    x = L.Reshape((-1, 4, 6))(x)
    x = L.Conv2D(2, 1)(x)
    return keras.Model(i, L.Dense(3)(L.Reshape((-1,))(x)))


@model
def flattened_images_go_many_ways(keras: Any, L: Any) -> Any:
    x = i = L.Input((4, 3, 5))
    flat = L.Flatten()(x)
    a = L.BatchNormalization()(L.Dropout(0.2)(L.Activation("relu")(flat)))
    b = L.Concatenate()([flat, a])
    c = L.Add()([flat, L.LayerNormalization()(flat)])
    d = L.Softmax()(flat)
    back = L.Flatten()(L.Conv2D(2, 2)(L.Reshape((4, 3, 5))(flat)))
    other = L.Flatten()(L.Conv2D(2, 2)(L.Reshape((5, 4, 3))(flat)))
    return keras.Model(i, L.Concatenate()([L.Dense(6)(a), b, c, d, back, other]))


@model
def activations(keras: Any, L: Any) -> Any:
    names = ["relu6", "leaky_relu", "selu", "gelu", "mish", "softplus", "softsign", "hard_silu", "exponential", "swish"]
    x = i = L.Input((5, 4, 3))
    layers = [L.LeakyReLU(0.2), L.PReLU(shared_axes=[1, 2]), L.ELU(0.7), L.ReLU(4.0), L.ReLU(negative_slope=0.1)]
    outputs = [layer(x) for layer in layers] + [L.Activation(name)(x) for name in names]
    outputs += [L.Softmax()(x), L.Softmax(axis=1)(x), L.Conv2D(2, 1, activation="log_softmax")(x)]
    return keras.Model(i, L.Flatten()(L.Concatenate()(outputs)))


@model
def layer_norms(keras: Any, L: Any) -> Any:
    x = i = L.Input((5, 4, 6))
    x = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Dense(8, activation="gelu")(x)
    x = L.LayerNormalization(axis=[1, 2, 3], center=False)(x)
    x = L.BatchNormalization(scale=False)(x)
    return keras.Model(i, L.LayerNormalization(scale=False)(L.GlobalAveragePooling2D()(x)))


@model
def nested_and_shared(keras: Any, L: Any) -> Any:
    inner = keras.Sequential([L.Input((6, 6, 4)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization()], name="inner")
    y = j = L.Input((6, 6, 4))
    y = L.Conv2D(4, 1, name="conv2d")(inner(y))
    middle = keras.Model(j, [L.Add()([y, j]), L.BatchNormalization()(y)], name="middle")
    shared = L.Conv2D(4, 3, padding="same", activation="relu")
    x = i = L.Input((6, 6, 4))
    a, b = middle(shared(x))
    c, d = middle(shared(a))
    return keras.Model(i, L.Flatten()(L.Concatenate()([b, c, d])))


@model
def functions(keras: Any, L: Any) -> Any:
    ops = keras.ops
    x = i = L.Input((6, 5, 4))
    x = ops.relu(x + 1.0) * 0.5 - 0.25
    x = 1.0 - x / 2.0
    x = L.Conv2D(3, 2)(x)
    y = ops.mean(x, axis=(1, 2), keepdims=True)
    z = ops.concatenate([ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))], axis=-1)
    x = L.Flatten()(ops.silu(x) * ops.sigmoid(y))
    return keras.Model(i, L.Concatenate()([x, z]))
