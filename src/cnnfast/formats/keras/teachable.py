"""Exports of Teachable Machine: their layers tell them, and with them how a picture becomes their input.

Such a file is a Sequential of two: a MobileNetV2, cut behind its last convolution and averaged, that takes 224x224, and
two dense layers that were trained in the browser, 100 with relu and one for each class with softmax and without bias.
"""

from __future__ import annotations

from cnnfast.formats.keras.config import KerasLayer, KerasModel
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Shape

INPUT = (3, 224, 224)
DEPTHWISE = 17
"""Depthwise convolutions of a MobileNetV2, one for each of its blocks."""

RULE = Preprocess(size=(224, 224), resize="crop", interpolation="lanczos", scale=1 / 127.5, mean=(1.0,))
"""What the program that Teachable Machine gives along with a file does: the middle of the picture, -1 to 1."""


def is_teachable_machine(model: KerasModel, shape: Shape) -> bool:
    """Return whether a model that takes images of a shape (C, H, W) was made by Teachable Machine."""
    parts = [layer for layer in model.layers if layer.kind != "InputLayer"]
    if shape != INPUT or len(parts) != 2 or any(layer.model is None for layer in parts):
        return False
    features, head = parts
    assert features.model is not None
    assert head.model is not None
    within = list(features.model.walk())
    depthwise = sum(layer.kind == "DepthwiseConv2D" for layer in within)
    dense = [layer for layer in head.model.layers if layer.kind not in ("InputLayer", "Dropout")]
    return (
        depthwise == DEPTHWISE
        and within[-1].kind == "GlobalAveragePooling2D"
        and [_told(layer) for layer in dense] == [("Dense", 100, "relu", True), ("Dense", None, "softmax", False)]
    )


def _told(layer: KerasLayer) -> tuple[str, object, object, object]:
    """Return what a dense layer states about itself, the number of classes left out."""
    activation = layer.config.get("activation")
    units = None if activation == "softmax" else layer.config.get("units")
    return layer.kind, units, activation, layer.config.get("use_bias", True)
