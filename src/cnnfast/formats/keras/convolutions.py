"""Convolutions, pools and dense layers of Keras."""

from __future__ import annotations

from typing import Any

from cnnfast.errors import ModelFileError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.keras.attributes import Attributes
from cnnfast.formats.keras.registry import Apply, Call, activation, layer
from cnnfast.ops import Array, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool


def _window(attributes: Attributes) -> dict[str, Any]:
    return dict(
        stride=attributes.pair("strides", [1, 1]),
        dilation=attributes.pair("dilation_rate", [1, 1]),
        padding=attributes.choice("padding", "valid", "valid", "same"),
    )


def _roles(attributes: Attributes, *kernels: str) -> tuple[str, ...]:
    return (*kernels, "bias") if attributes.flag("use_bias", True) else kernels


def _kernel(array: Array, axes: int = 4) -> Array:
    if array.ndim != axes or array.size == 0:
        raise ModelFileError(f"the kernel must have {axes} axes, none of them empty, but is of shape {array.shape}")
    return array


def _one_each(kernel: Array) -> Array:
    """Return a kernel (KH, KW, C, M) of a depthwise convolution as (C * M, 1, KH, KW)."""
    return _kernel(kernel).transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])


@layer("Conv2D", "Convolution2D")
def _conv2d(attributes: Attributes) -> Apply:
    options = _window(attributes) | dict(groups=attributes.integer("groups", 1))
    roles, step = _roles(attributes, "kernel"), activation(attributes)

    def apply(call: Call) -> Value:
        kernel, *bias = call.weights(*roles)
        weight = _kernel(kernel).transpose(3, 2, 0, 1)
        return call.finish(step, lambda name: call.graph.conv(name, call.x, weight, *bias, **options))

    return apply


@layer("DepthwiseConv2D")
def _depthwise(attributes: Attributes) -> Apply:
    options = _window(attributes)
    # Keras 2 called it depthwise_kernel, Keras 3 calls it kernel; the order is what counts
    roles, step = _roles(attributes, "depthwise_kernel"), activation(attributes)

    def apply(call: Call) -> Value:
        kernel, *bias = call.weights(*roles)
        groups = _kernel(kernel).shape[2]
        weight = _one_each(kernel)
        return call.finish(step, lambda name: call.graph.conv(name, call.x, weight, *bias, groups=groups, **options))

    return apply


@layer("SeparableConv2D", "SeparableConvolution2D")
def _separable(attributes: Attributes) -> Apply:
    options = _window(attributes)
    roles, step = _roles(attributes, "depthwise_kernel", "pointwise_kernel"), activation(attributes)

    def apply(call: Call) -> Value:
        depthwise, pointwise, *bias = call.weights(*roles)
        groups = _kernel(depthwise).shape[2]
        x = call.graph.conv(f"{call.name}/depthwise", call.x, _one_each(depthwise), groups=groups, **options)
        weight = _kernel(pointwise).transpose(3, 2, 0, 1)
        return call.finish(step, lambda name: call.graph.conv(name, x, weight, *bias))

    return apply


@layer("Dense")
def _dense(attributes: Attributes) -> Apply:
    roles, step = _roles(attributes, "kernel"), activation(attributes)

    def apply(call: Call) -> Value:
        kernel, *bias = call.weights(*roles)
        weight = _kernel(kernel, axes=2).T
        return call.finish(step, lambda name: call.graph.dense(name, call.x, weight, *bias))

    return apply


def _pool(kind: type[MaxPool | AvgPool], attributes: Attributes) -> Apply:
    kernel = attributes.pair("pool_size", [2, 2])
    stride = kernel if attributes.raw("strides") is None else attributes.pair("strides")
    padding = attributes.choice("padding", "valid", "valid", "same")
    return lambda call: call.graph.pool(call.name, kind, call.x, kernel, stride, padding)


@layer("MaxPooling2D", "MaxPool2D")
def _max_pool(attributes: Attributes) -> Apply:
    return _pool(MaxPool, attributes)


@layer("AveragePooling2D", "AvgPool2D")
def _average_pool(attributes: Attributes) -> Apply:
    return _pool(AvgPool, attributes)


@layer("GlobalAveragePooling2D", "GlobalAvgPool2D")
def _global_average(attributes: Attributes) -> Apply:
    return _global(GlobalAvgPool, attributes)


@layer("GlobalMaxPooling2D", "GlobalMaxPool2D")
def _global_max(attributes: Attributes) -> Apply:
    return _global(GlobalMaxPool, attributes)


def _global(kind: type[GlobalAvgPool | GlobalMaxPool], attributes: Attributes) -> Apply:
    keep_dims = attributes.flag("keepdims", False)
    return lambda call: call.graph.add(call.name, kind(keep_dims), call.x)
