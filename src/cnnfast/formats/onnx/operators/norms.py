"""Normalization, softmax, local response."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cnnfast import ops
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.conv_gemm import real
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import OnnxImages
from cnnfast.ops import Array, Op


@operator("BatchNormalization")
def batch_norm(call: NodeCall) -> OnnxImages:
    """Normalize with the statistics of training."""
    if call.flag("training_mode") or (call.opset < 9 and not call.flag("spatial", True)):
        raise UnsupportedError("training_mode, or statistics for each pixel")
    call.ignore("momentum")
    x = call.images(0)
    parameters = [real(call.static(i)) for i in range(1, 5)]
    op = ops.BatchNorm(call.real("epsilon", 1e-5))
    if len(x.shape) in (1, 3):
        return call.emit(op, x, *parameters)
    flat = call.emit(ops.Reshape((x.shape[0], math.prod(x.shape[1:]), 1)), x)
    return call.emit(ops.Reshape(x.shape), call.emit(op, flat, *parameters))


@operator("InstanceNormalization", "GroupNormalization")
def group_norm(call: NodeCall) -> OnnxImages:
    """Normalize each channel, or groups of them, with the statistics of each image."""
    x, parameters = call.images(0), [real(call.static(i)) for i in (1, 2)]
    call.ignore("stash_type")
    groups = x.shape[0] if call.kind == "InstanceNormalization" else call.integer("num_groups")
    if call.kind == "GroupNormalization" and call.opset < 21:
        # a scale for each group, not for each channel
        parameters = [_by_channel(call, p, groups, x.shape[0]) for p in parameters]
    op = ops.GroupNorm(groups, call.real("epsilon", 1e-5))
    if len(x.shape) in (1, 3):
        return call.emit(op, x, *parameters)
    flat = call.emit(ops.Reshape((x.shape[0], math.prod(x.shape[1:]), 1)), x)
    return call.emit(ops.Reshape(x.shape), call.emit(op, flat, *parameters))


def _by_channel(call: NodeCall, part: Array, groups: int, channels: int) -> Array:
    """Return a number for each channel, from one for each group."""
    if groups < 1 or channels % groups or part.shape != (groups,):
        raise ModelFileError(f"{groups} groups of {channels} channels, with parameters of shape {part.shape}")
    return call.fitted(part[:, None], (groups, channels // groups), "scale").reshape(-1)


@operator("RMSNormalization")
def rms_norm(call: NodeCall) -> OnnxImages:
    """Divide the last axes of each image by the root of their mean square."""
    x = call.images(0)
    call.ignore("stash_type")
    first = call.axis(call.integer("axis", -1), len(x.shape))
    mean = call.emit(ops.ReduceMean(tuple(range(first, len(x.shape) + 1))), call.emit(ops.Mul(), x, x))
    root = call.emit(ops.Sqrt(), call.emit(ops.Add(), mean, np.asarray(call.real("epsilon", 1e-5))))
    return call.emit(ops.Mul(), call.emit(ops.Div(), x, root), real(call.static(1)))


@operator("LayerNormalization")
def layer_norm(call: NodeCall) -> list[OnnxImages]:
    """Normalize the last axes of each image; mean and inverse deviation are results too, if asked for."""
    x = call.images(0)
    call.ignore("stash_type")
    first = call.axis(call.integer("axis", -1), len(x.shape))
    sizes = x.shape[first - 1 :]
    parameters: list[Array] = [call.fitted(real(call.static(1)), sizes, "scale")]
    if call.has(2):
        parameters.append(call.fitted(real(call.static(2)), sizes, "bias"))
    axes, eps = tuple(range(first, len(x.shape) + 1)), call.real("epsilon", 1e-5)
    results = [call.emit(ops.LayerNorm(axes, eps), x, *parameters)]
    if any(call.node.output[1:]):
        mean = call.emit(ops.ReduceMean(axes), x)
        centered = call.emit(ops.Sub(), x, mean)
        variance = call.emit(ops.ReduceMean(axes), call.emit(ops.Mul(), centered, centered))
        root = call.emit(ops.Sqrt(), call.emit(ops.Add(), variance, np.asarray(eps)))
        results += [mean, call.emit(ops.Div(), np.asarray(1.0), root)]
    return results


@operator("MeanVarianceNormalization")
def mean_variance(call: NodeCall) -> OnnxImages:
    """Normalize over some axes of each image."""
    x = call.images(0)
    axes = tuple(call.axis(axis, len(x.shape)) for axis in call.integers("axes", (0, 2, 3)))
    return call.emit(ops.LayerNorm(axes, 1e-9), x)


@operator("LpNormalization")
def lp_norm(call: NodeCall) -> OnnxImages:
    """Divide by the sum of absolute values, or by the root of the energy, along one axis."""
    x = call.images(0)
    axis = call.axis(call.integer("axis", -1), len(x.shape))
    power = call.integer("p", 2)
    if power not in (1, 2):
        raise UnsupportedError(f"p={power}; 1 and 2 are run")
    size = ops.ReduceSum((axis,))
    if power == 1:
        return call.emit(ops.Div(), x, call.emit(size, call.emit(ops.Abs(), x)))
    return call.emit(ops.Div(), x, call.emit(ops.Sqrt(), call.emit(size, call.emit(ops.Mul(), x, x))))


@operator("LRN")
def lrn(call: NodeCall) -> OnnxImages:
    """Divide by the energy of neighbor channels."""
    op = ops.Lrn(call.integer("size"), call.real("alpha", 1e-4), call.real("beta", 0.75), call.real("bias", 1.0))
    return call.emit(op, call.images(0))


@operator("Softmax", "LogSoftmax")
def softmax(call: NodeCall) -> OnnxImages:
    """Turn scores into probabilities along one axis; before opset 13, along all axes from one on."""
    x = call.images(0)
    kind: type[Op] = ops.Softmax if call.kind == "Softmax" else ops.LogSoftmax
    if x.is_joined and call.opset >= 13:
        axis = call.axis(call.integer("axis", -1), len(x.shape) - 1) + 1
        return replace(call.emit(kind(axis), x.apart), is_joined=True)  # type: ignore[call-arg]
    axis = call.axis(call.integer("axis", -1 if call.opset >= 13 else 1), len(x.shape))
    if call.opset >= 13 or axis == len(x.shape):
        return call.emit(kind(axis), x)  # type: ignore[call-arg]
    flat = call.emit(ops.Reshape((*x.shape[: axis - 1], math.prod(x.shape[axis - 1 :]))), x)
    return call.emit(ops.Reshape(x.shape), call.emit(kind(axis), flat))  # type: ignore[call-arg]
