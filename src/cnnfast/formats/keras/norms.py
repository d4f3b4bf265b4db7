"""Layers of Keras that normalize or scale: with the statistics of training, or of each image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.layer_call import Apply, LayerCall, layer
from cnnfast.ops import Add, Array, Mul, Shape

MAX_WITHOUT_WEIGHTS = 1 << 22
"""Elements over which a layer may normalize whose scale and shift are not in the file, and must be made."""

LEAST_DEVIATION = 1e-7
"""What Keras calls epsilon: Normalization divides by no less."""


def _scale_and_shift(attributes: LayerAttributes) -> tuple[bool, bool]:
    return attributes.flag("scale", True), attributes.flag("center", True)


@layer("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(attributes: LayerAttributes) -> Apply:
    scales, centers = _scale_and_shift(attributes)
    axes, eps = attributes.integers("axis", -1), attributes.number("epsilon", 1e-3)
    roles = [role for role, there in (("gamma", scales), ("beta", centers)) if there]
    attributes.ignore("momentum", "synchronized")
    if len(axes) > 1:
        raise attributes.refuse(f"axis={list(axes)}; supported: one axis")
    if attributes.flag("renorm", False) or attributes.raw("virtual_batch_size") is not None:
        raise attributes.refuse("renorm or virtual_batch_size")
    attributes.ignore("renorm_momentum", "renorm_clipping", "fused")

    def apply(call: LayerCall) -> Value:
        *learned, mean, var = call.weights(*roles, "moving_mean", "moving_variance")
        scale, shift = _learned(learned, scales, centers, mean)
        return call.graph.batch_norm(call.name, call.x, scale, shift, mean, var, eps, call.axis(axes[0]))

    return apply


def _learned(weights: list[Array], scales: bool, centers: bool, like: Array) -> tuple[Array, Array]:
    """Return scale and shift, ones and zeros where a layer has none."""
    scale = weights[0] if scales else np.ones_like(like)
    shift = weights[-1] if centers else np.zeros_like(like)
    return scale, shift


@layer("LayerNormalization")
def _layer_norm(attributes: LayerAttributes) -> Apply:
    scales, centers = _scale_and_shift(attributes)
    axes, eps = attributes.integers("axis", -1), attributes.number("epsilon", 1e-3)
    if attributes.flag("rms_scaling", False):
        raise attributes.refuse("rms_scaling=true")
    roles = [role for role, there in (("gamma", scales), ("beta", centers)) if there]

    def apply(call: LayerCall) -> Value:
        own = sorted(call.axis(axis) for axis in axes)
        shape = [call.x.shape[axis] for axis in own]
        if not roles and math.prod(shape) > MAX_WITHOUT_WEIGHTS:
            raise attributes.refuse(f"axis={list(axes)}, which are {math.prod(shape)} elements of a scale and a shift")
        like = np.broadcast_to(np.float32(0), shape)
        learned = call.weights(*roles)
        if any(array.size != like.size for array in learned):
            raise ModelFileError(f"its weights are of shape {learned[0].shape}, but it normalizes over {like.shape}")
        scale, shift = _learned([array.reshape(like.shape) for array in learned], scales, centers, like)
        return call.graph.layer_norm(call.name, call.x, scale, shift, own, eps)

    return apply


@layer("Rescaling")
def _rescaling(attributes: LayerAttributes) -> Apply:
    factor, offset = attributes.array("scale"), attributes.array("offset", 0.0)
    return lambda call: call.graph.affine(call.name, call.x, factor, offset)


@layer("Normalization")
def _normalization(attributes: LayerAttributes) -> Apply:
    axes: Sequence[int] = () if attributes.raw("axis", [-1]) in (None, []) else attributes.integers("axis", [-1])
    stated = [attributes.array(key) for key in ("mean", "variance") if attributes.raw(key) is not None]
    if attributes.flag("invert", False):
        raise attributes.refuse("invert=true")
    if len(stated) == 1:
        raise ModelFileError("mean and variance must be stated together")

    def apply(call: LayerCall) -> Value:
        mean, var = stated or (array.astype(np.float64) for array in call.weights("mean", "variance", "count")[:2])
        kept = sorted(call.axis(axis) for axis in axes)
        mean, var = (_along(kept, array, call.x.shape) for array in (mean, var))
        if mean.shape != var.shape or (var < 0).any():
            raise ModelFileError("mean and variance must be of one shape, and no variance below 0")
        deviation = np.maximum(np.sqrt(var), LEAST_DEVIATION)
        return call.graph.affine(call.name, call.x, 1 / deviation, -mean / deviation)

    return apply


def _along(kept: list[int], statistic: Array, shape: Shape) -> Array:
    """Return a statistic with as many axes as one image: its own axes are the last of those that are kept."""
    if statistic.size == 1:
        return statistic.reshape(1)
    sizes = [size for size in statistic.shape if len(kept) == statistic.ndim or size > 1]
    if len(sizes) > len(kept):
        raise ModelFileError(f"mean and variance of shape {statistic.shape} do not fit the axes {kept} of {shape}")
    whole = [1] * len(shape)
    for axis, size in zip(reversed(kept), reversed(sizes), strict=False):
        if size not in (1, shape[axis]):
            raise ModelFileError(f"mean and variance of shape {statistic.shape} do not fit a value of shape {shape}")
        whole[axis] = size
    return statistic.reshape(whole)


@layer("LayerScale")
def _layer_scale(attributes: LayerAttributes) -> Apply:
    attributes.ignore("init_values", "projection_dim")

    def apply(call: LayerCall) -> Value:
        (gamma,) = call.weights("gamma")
        return call.graph.pair(call.name, Mul(), call.x, gamma)

    return apply


@layer("CustomScaleLayer")
def _custom_scale(attributes: LayerAttributes) -> Apply:
    """Add a scaled second value to the first: the residual connection of InceptionResNetV2."""
    scale = np.array(attributes.number("scale"))

    def apply(call: LayerCall) -> Value:
        if len(call.values) != 2:
            raise ModelFileError(f"it must be called on two values, but is called on {len(call.values)}")
        first, second = call.values
        return call.graph.pair(call.name, Add(), first, call.graph.pair(f"{call.name}/scaled", Mul(), second, scale))

    return apply
