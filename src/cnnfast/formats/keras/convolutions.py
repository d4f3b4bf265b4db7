"""Convolutions, pools and dense layers of Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnnfast.errors import ModelFileError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.layer_call import Apply, LayerCall, activation, layer
from cnnfast.ops import Array, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool


def _window(attributes: LayerAttributes) -> dict[str, Any]:
    return dict(
        stride=attributes.pair("strides", [1, 1]),
        dilation=attributes.pair("dilation_rate", [1, 1]),
        padding=attributes.choice("padding", "valid", "valid", "same"),
    )


def _roles(attributes: LayerAttributes, *kernels: str) -> tuple[str, ...]:
    return (*kernels, "bias") if attributes.flag("use_bias", True) else kernels


def _stated(attributes: LayerAttributes, *keys: str) -> list[int | None]:
    """Return sizes that a config repeats although the weights have them, None where it does not."""
    values: list[int | None] = []
    for key in keys:
        if key == "kernel_size":
            values += attributes.pair(key) if attributes.raw(key) is not None else (None, None)
        else:
            values.append(attributes.integer(key) if attributes.raw(key) is not None else None)
    return values


def _kernel(array: Array, stated: Sequence[int | None]) -> Array:
    """Return a kernel that is of the sizes which the config states."""
    if array.ndim != len(stated) or array.size == 0:
        raise ModelFileError(
            f"the kernel must have {len(stated)} axes, none of them empty, but is of shape {array.shape}"
        )
    if any(said not in (None, size) for said, size in zip(stated, array.shape, strict=True)):
        said = ", ".join("any" if size is None else str(size) for size in stated)
        raise ModelFileError(f"the kernel is of shape {array.shape}, but the config states ({said})")
    return array


def _one_each(kernel: Array) -> Array:
    """Return a kernel (KH, KW, C, M) of a depthwise convolution as (C * M, 1, KH, KW)."""
    return kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])


@layer("Conv2D", "Convolution2D")
def _conv2d(attributes: LayerAttributes) -> Apply:
    options = _window(attributes) | dict(groups=attributes.integer("groups", 1))
    roles, step, channels = _roles(attributes, "kernel"), activation(attributes), attributes.channels_axis()
    height, width, filters = _stated(attributes, "kernel_size", "filters")

    def apply(call: LayerCall) -> Value:
        kernel, *bias = call.weights(*roles)
        weight = _kernel(kernel, (height, width, None, filters)).transpose(3, 2, 0, 1)

        def conv(name: str, x: Value) -> Value:
            return call.graph.conv(name, x, weight, *bias, **options)

        return call.finish(step, lambda name: call.on_image(channels, conv, name))

    return apply


@layer("DepthwiseConv2D")
def _depthwise(attributes: LayerAttributes) -> Apply:
    options, channels = _window(attributes), attributes.channels_axis()
    # Keras 2 called it depthwise_kernel, Keras 3 calls it kernel; the order is what counts
    roles, step = _roles(attributes, "depthwise_kernel"), activation(attributes)
    height, width, multiplier = _stated(attributes, "kernel_size", "depth_multiplier")
    if attributes.raw("groups") not in (None, 1):
        # Keras 2 wrote the default of its base class
        raise attributes.refuse(f"groups={attributes.raw('groups')!r:.40}; a depthwise convolution has none of its own")

    def apply(call: LayerCall) -> Value:
        kernel, *bias = call.weights(*roles)
        weight = _one_each(_kernel(kernel, (height, width, None, multiplier)))

        def conv(name: str, x: Value) -> Value:
            return call.graph.conv(name, x, weight, *bias, groups=kernel.shape[2], **options)

        return call.finish(step, lambda name: call.on_image(channels, conv, name))

    return apply


@layer("SeparableConv2D", "SeparableConvolution2D")
def _separable(attributes: LayerAttributes) -> Apply:
    options, channels = _window(attributes), attributes.channels_axis()
    roles, step = _roles(attributes, "depthwise_kernel", "pointwise_kernel"), activation(attributes)
    height, width, multiplier, filters = _stated(attributes, "kernel_size", "depth_multiplier", "filters")
    if attributes.raw("groups") not in (None, 1):
        raise attributes.refuse(f"groups={attributes.raw('groups')!r:.40}; supported: 1")

    def apply(call: LayerCall) -> Value:
        depthwise, pointwise, *bias = call.weights(*roles)
        first = _one_each(_kernel(depthwise, (height, width, None, multiplier)))
        second = _kernel(pointwise, (1, 1, None, filters)).transpose(3, 2, 0, 1)

        def conv(name: str, x: Value) -> Value:
            x = call.graph.conv(f"{call.name}/depthwise", x, first, groups=depthwise.shape[2], **options)
            return call.graph.conv(name, x, second, *bias)

        return call.finish(step, lambda name: call.on_image(channels, conv, name))

    return apply


@layer("Dense")
def _dense(attributes: LayerAttributes) -> Apply:
    roles, step = _roles(attributes, "kernel"), activation(attributes)
    (units,) = _stated(attributes, "units")

    def apply(call: LayerCall) -> Value:
        kernel, *bias = call.weights(*roles)
        weight = _kernel(kernel, (None, units)).T
        return call.finish(step, lambda name: call.graph.dense(name, call.x, weight, *bias))

    return apply


def _pool(kind: type[MaxPool | AvgPool]) -> Callable[[LayerAttributes], Apply]:
    def reader(attributes: LayerAttributes) -> Apply:
        kernel, channels = attributes.pair("pool_size", [2, 2]), attributes.channels_axis()
        stride = kernel if attributes.raw("strides") is None else attributes.pair("strides")
        padding = attributes.choice("padding", "valid", "valid", "same")
        return lambda call: call.on_image(
            channels, lambda name, x: call.graph.pool(name, kind, x, kernel, stride, padding)
        )

    return reader


layer("MaxPooling2D", "MaxPool2D")(_pool(MaxPool))
layer("AveragePooling2D", "AvgPool2D")(_pool(AvgPool))


def _global(kind: type[GlobalAvgPool | GlobalMaxPool]) -> Callable[[LayerAttributes], Apply]:
    def reader(attributes: LayerAttributes) -> Apply:
        op, channels = kind(attributes.flag("keepdims", False)), attributes.channels_axis()
        return lambda call: call.on_image(channels, lambda name, x: call.graph.add(name, op, x))

    return reader


layer("GlobalAveragePooling2D", "GlobalAvgPool2D")(_global(GlobalAvgPool))
layer("GlobalMaxPooling2D", "GlobalMaxPool2D")(_global(GlobalMaxPool))
