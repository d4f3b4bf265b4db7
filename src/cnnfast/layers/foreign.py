"""What layers of Keras and PyTorch are called here."""

from __future__ import annotations

from collections.abc import Iterable

from cnnfast.runtime.suggest import did_you_mean

BUILD = "cnnfast.Network.build(layers, input_shape=(3, 32, 32))"

FOREIGN = {
    "Dense": "Linear(10)",
    "Conv2D": "Conv2d(16, 3)",
    "DepthwiseConv2D": "Conv2d(channels, 3, groups=channels)",
    "MaxPooling2D": "MaxPool(2)",
    "MaxPool2D": "MaxPool(2)",
    "MaxPool2d": "MaxPool(2)",
    "AveragePooling2D": "AvgPool(2)",
    "AvgPool2d": "AvgPool(2)",
    "GlobalAveragePooling2D": "GlobalAvgPool()",
    "AdaptiveAvgPool2d": "GlobalAvgPool()",
    "GlobalMaxPooling2D": "GlobalMaxPool()",
    "AdaptiveMaxPool2d": "GlobalMaxPool()",
    "BatchNormalization": "BatchNorm()",
    "BatchNorm1d": "BatchNorm()",
    "BatchNorm2d": "BatchNorm()",
    "LayerNormalization": "LayerNorm()",
    "GroupNormalization": "GroupNorm(groups)",
    "LocalResponseNorm": "Lrn(5)",
    "ReLU": "Relu()",
    "ReLU6": "Relu6()",
    "PReLU": "PRelu()",
    "LeakyReLU": "LeakyRelu()",
    "ELU": "Elu()",
    "GELU": "Gelu()",
    "SiLU": "Silu()",
    "Swish": "Silu()",
    "Hardswish": "HardSwish()",
    "Activation": "Relu(), Sigmoid() and the like",
    "ZeroPadding2D": "Pad(1)",
    "ZeroPad2d": "Pad(1)",
    "UpSampling2D": "Resize((64, 64))",
    "Upsample": "Resize((64, 64))",
    "Permute": "Transpose((0, 2, 3, 1))",
    "Add": "Residual([...], shortcut=[...])",
    "Multiply": "Gate([...])",
    "Concatenate": "Branches([[...], [...]])",
    "Input": BUILD,
    "InputLayer": BUILD,
    "Sequential": BUILD,
    "Model": BUILD,
}
"""Names of Keras and PyTorch, and what is written here."""


def about_unknown_layer(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of a name that `cnnfast.layers` does not have.

    Examples
    --------
    >>> about_unknown_layer("Dense", [])
    "cnnfast.layers has no 'Dense'; write Linear(10)"
    >>> about_unknown_layer("Softmx", ["Softmax", "Relu"])
    "cnnfast.layers has no 'Softmx'; did you mean 'Softmax'?"
    """
    hint = f"; write {FOREIGN[name]}" if name in FOREIGN else did_you_mean(name, known)
    return f"cnnfast.layers has no {name!r}{hint}"
