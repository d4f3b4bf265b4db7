"""What is said about layers that cnnfast does not run."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cnnfast.formats.keras.config import Layer
from cnnfast.formats.keras.registry import LAYERS

REPEATED = ("name", "trainable", "dtype", "batch_input_shape", "build_config")
"""Attributes that say nothing about what a layer computes; nor do initializers, regularizers and constraints."""

HINTS = {
    "Lambda": "it holds Python code, which is never run from a file; write it with Rescaling, Activation, Multiply, …",
    "Conv2DTranspose": "nearest: UpSampling2D and Conv2D",
    "Conv1D": "nearest: Conv2D on images of height 1",
    "Conv3D": "nearest: Conv2D",
    "GlobalAveragePooling1D": "nearest: GlobalAveragePooling2D",
    "AutoContrast": "it changes pictures in prediction too; do it to the pictures before they come to the network",
    "ContrastLimitedAdaptiveHistogramEqualization": "likewise; do it to the pictures before they come to the network",
}

MOST = 100
LONGEST = 200


def supported() -> list[str]:
    """Return the classes of the layers that cnnfast runs."""
    return sorted(kind for kind in LAYERS if "." not in kind)


def nearest(layer: Layer) -> str:
    """Return what comes closest to a layer among those that cnnfast runs."""
    if layer.kind in HINTS:
        return HINTS[layer.kind]
    close = difflib.get_close_matches(layer.kind[:100], supported(), 1, cutoff=0.5)
    if close:
        return f"nearest that is supported: {close[0]}"
    if layer.kind == "TFOpLambda":
        return "a function of TensorFlow; nearest: the layers Add, Multiply, Activation, Reshape, …"
    return "nothing close is supported"


def complaint(refused: Sequence[tuple[Layer, str]]) -> str:
    """Return the message about all layers that are refused, each with its name, class, attributes and the reason."""
    lines = [f"  {layer.name!r} ({layer.kind:.60}{_attributes(layer)}): {reason}" for layer, reason in refused[:MOST]]
    more = f"\n  and {len(refused) - MOST} more" if len(refused) > MOST else ""
    count = "one of its layers" if len(refused) == 1 else f"{len(refused)} of its layers"
    return f"cnnfast does not run {count}:\n" + "\n".join(lines) + more


def _attributes(layer: Layer) -> str:
    told = {
        key: value
        for key, value in layer.config.items()
        if key not in REPEATED and value is not None and not key.endswith(("initializer", "regularizer", "constraint"))
    }
    text = "".join(f", {key}={value!r:.60}" for key, value in told.items())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
