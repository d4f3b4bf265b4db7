"""Layers of Keras that normalise or scale: with the statistics of training, or of each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.keras.attributes import Attributes
from cnnfast.formats.keras.registry import Apply, Call, layer, numbers
from cnnfast.ops import Add, Array, Mul

LEAST_DEVIATION = 1e-7
"""What Keras calls epsilon: Normalization divides by no less."""


def _scale_and_shift(attributes: Attributes) -> tuple[bool, bool]:
    return attributes.flag("scale", True), attributes.flag("center", True)


@layer("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(attributes: Attributes) -> Apply:
    scales, centres = _scale_and_shift(attributes)
    axes, eps = attributes.integers("axis", -1), attributes.number("epsilon", 1e-3)
    roles = [role for role, there in (("gamma", scales), ("beta", centres)) if there]

    def apply(call: Call) -> Value:
        call.need_channels(axes)
        *learned, mean, var = call.weights(*roles, "moving_mean", "moving_variance")
        scale, shift = _learned(learned, scales, centres, mean)
        return call.graph.batch_norm(call.name, call.x, scale, shift, mean, var, eps)

    return apply


def _learned(weights: list[Array], scales: bool, centres: bool, like: Array) -> tuple[Array, Array]:
    """Return scale and shift, ones and zeros where a layer has none."""
    scale = weights[0] if scales else np.ones_like(like)
    shift = weights[-1] if centres else np.zeros_like(like)
    return scale, shift


@layer("LayerNormalization")
def _layer_norm(attributes: Attributes) -> Apply:
    scales, centres = _scale_and_shift(attributes)
    axes, eps = attributes.integers("axis", -1), attributes.number("epsilon", 1e-3)
    if attributes.flag("rms_scaling", False):
        raise attributes.refuse("rms_scaling=true")
    roles = [role for role, there in (("gamma", scales), ("beta", centres)) if there]

    def apply(call: Call) -> Value:
        own = sorted(call.axis(axis) for axis in axes)
        like = np.zeros([call.x.shape[axis] for axis in own])
        scale, shift = _learned(call.weights(*roles), scales, centres, like)
        return call.graph.layer_norm(call.name, call.x, scale, shift, own, eps)

    return apply


@layer("Rescaling")
def _rescaling(attributes: Attributes) -> Apply:
    factor = numbers(attributes.raw("scale"), "scale")
    offset = numbers(attributes.raw("offset", 0.0), "offset")
    return lambda call: call.graph.affine(call.name, call.x, factor, offset)


@layer("Normalization")
def _normalization(attributes: Attributes) -> Apply:
    axes: Sequence[int] = () if attributes.raw("axis", [-1]) in (None, []) else attributes.integers("axis", [-1])
    stated = attributes.raw("mean") is not None
    if attributes.flag("invert", False):
        raise attributes.refuse("invert=true")

    def apply(call: Call) -> Value:
        if axes:
            call.need_channels(axes)
        if stated:
            mean, var = (numbers(attributes.raw(key), key) for key in ("mean", "variance"))
        else:
            mean, var, _ = (array.astype(np.float64) for array in call.weights("mean", "variance", "count"))
        if axes and mean.size > 1 and not call.graph.channels_last:
            mean, var = (array.reshape(-1, 1, 1) for array in (mean, var))
        if mean.shape != var.shape or (var < 0).any():
            raise ModelFileError("mean and variance must be of one shape, and no variance below 0")
        deviation = np.maximum(np.sqrt(var), LEAST_DEVIATION)
        return call.graph.affine(call.name, call.x, 1 / deviation, -mean / deviation)

    return apply


@layer("LayerScale")
def _layer_scale(attributes: Attributes) -> Apply:
    def apply(call: Call) -> Value:
        (gamma,) = call.weights("gamma")
        return call.graph.pair(call.name, Mul(), call.x, gamma)

    return apply


@layer("CustomScaleLayer")
def _custom_scale(attributes: Attributes) -> Apply:
    """Add a scaled second value to the first: the residual connection of InceptionResNetV2."""
    scale = np.array(attributes.number("scale"))

    def apply(call: Call) -> Value:
        first, second = call.values
        return call.graph.pair(call.name, Add(), first, call.graph.pair(f"{call.name}/scaled", Mul(), second, scale))

    return apply
