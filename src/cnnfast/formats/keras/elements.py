"""Layers of Keras without windows: activations, merges, shapes, and what does nothing when a network predicts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cnnfast import ops
from cnnfast.errors import ModelFileError
from cnnfast.formats.channels_last import Value
from cnnfast.formats.keras.activations import each, softmax, step_named
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.layer_call import Apply, LayerCall, activation, layer
from cnnfast.ops import Array


@layer(
    "Dropout",
    "SpatialDropout2D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "StochasticDepth",
    "Identity",
)
def _only_in_training(attributes: LayerAttributes) -> Apply:
    attributes.ignore_all()
    return lambda call: call.graph.each(call.name, ops.Identity(), call.x)


# Activations


@layer("Activation")
def _activation(attributes: LayerAttributes) -> Apply:
    step = activation(attributes) or each(ops.Identity())
    return lambda call: step(call.graph, call.name, call.x)


@layer("ReLU")
def _relu(attributes: LayerAttributes) -> Apply:
    most = None if attributes.raw("max_value") is None else attributes.number("max_value")
    slope = 0.0 if attributes.raw("negative_slope") is None else attributes.number("negative_slope")
    if attributes.raw("threshold") is not None and attributes.number("threshold") != 0:
        raise attributes.refuse(f"threshold={attributes.number('threshold')}; supported: 0")
    if slope and most is not None:
        raise attributes.refuse(f"negative_slope={slope} and max_value={most} together; supported: one of them")
    op = ops.LeakyRelu(slope) if slope else ops.Relu() if most is None else ops.Clip(0, most)
    return lambda call: call.graph.each(call.name, op, call.x)


@layer("LeakyReLU")
def _leaky_relu(attributes: LayerAttributes) -> Apply:
    # Keras 2 called it alpha
    key = "negative_slope" if attributes.raw("negative_slope") is not None else "alpha"
    op = ops.LeakyRelu(attributes.number(key, 0.3))
    return lambda call: call.graph.each(call.name, op, call.x)


@layer("ELU")
def _elu(attributes: LayerAttributes) -> Apply:
    op = ops.Elu(attributes.number("alpha", 1.0))
    return lambda call: call.graph.each(call.name, op, call.x)


@layer("PReLU")
def _prelu(attributes: LayerAttributes) -> Apply:
    shared = () if attributes.raw("shared_axes") is None else attributes.integers("shared_axes")

    def apply(call: LayerCall) -> Value:
        (slope,) = call.weights("alpha")
        axes = [call.axis(axis) for axis in shared]
        wanted = tuple(1 if axis in axes else size for axis, size in enumerate(call.x.shape))
        if slope.shape != wanted:
            raise ModelFileError(f"its slopes are of shape {slope.shape}, but with shared_axes={list(shared)} {wanted}")
        return call.graph.prelu(call.name, call.x, slope)

    return apply


def _softmax(kind: type[ops.Softmax | ops.LogSoftmax]) -> Callable[[LayerAttributes], Apply]:
    def reader(attributes: LayerAttributes) -> Apply:
        axes = attributes.integers("axis", -1)
        if len(axes) > 1:
            raise attributes.refuse(f"axis={list(axes)}; supported: one axis")
        return lambda call: softmax(kind, call.axis(axes[0]))(call.graph, call.name, call.x)

    return reader


layer("Softmax", "ops.Softmax")(_softmax(ops.Softmax))
layer("ops.LogSoftmax")(_softmax(ops.LogSoftmax))


@layer("tf.nn.softmax")
def _softmax_function(attributes: LayerAttributes) -> Apply:
    def apply(call: LayerCall) -> Value:
        axis = call.argument("axis", -1)
        if type(axis) is not int:
            raise attributes.refuse(f"axis={axis!r:.40}; supported: one axis")
        return call.graph.softmax(call.name, ops.Softmax, call.x, call.axis(axis))

    return apply


@layer("ops.Gelu")
def _gelu(attributes: LayerAttributes) -> Apply:
    op = ops.Gelu("tanh" if attributes.flag("approximate", True) else "none")
    return lambda call: call.graph.each(call.name, op, call.x)


def _function(name: str) -> Callable[[LayerAttributes], Apply]:
    def reader(attributes: LayerAttributes) -> Apply:
        step = step_named(name, attributes.version) or each(ops.Identity())
        return lambda call: step(call.graph, call.name, call.x)

    return reader


for _names, _activation_name in {
    ("ops.Relu", "ops.ReLU", "tf.nn.relu"): "relu",
    ("ops.Relu6", "tf.nn.relu6"): "relu6",
    ("ops.Sigmoid", "tf.math.sigmoid", "tf.nn.sigmoid"): "sigmoid",
    ("ops.Silu", "tf.nn.silu"): "silu",
    ("ops.HardSigmoid",): "hard_sigmoid",
    ("ops.HardSilu",): "hard_silu",
    ("ops.Tanh", "tf.math.tanh"): "tanh",
}.items():
    layer(*_names)(_function(_activation_name))


# Merges


def _merge(op: ops.Binary, factor: Callable[[int], float] | None = None) -> Callable[[LayerAttributes], Apply]:
    """Return the reader of a layer that folds all its operands by one op."""

    def reader(attributes: LayerAttributes) -> Apply:
        return lambda call: _fold(call, op, None if factor is None else factor(len(_operands(call))))

    return reader


def _operands(call: LayerCall) -> list[Value | Array]:
    """Return the operands of an arithmetic function; keyword arguments may hold the second."""
    named = [v for v in map(call.argument, ("x1", "x2", "y")) if v is not None]
    operands = [v if isinstance(v, Value) else np.array(v) for v in (*call.operands, *named)]
    if len(operands) < 2 or not all(isinstance(v, Value) or v.dtype.kind in "if" for v in operands):
        raise ModelFileError("it must be called on two or more values or numbers")
    return operands


def _fold(call: LayerCall, op: ops.Binary, factor: float | None) -> Value:
    first, *others = _operands(call)
    for index, other in enumerate(others):
        last = index == len(others) - 1 and factor is None
        first = call.graph.pair(call.name if last else f"{call.name}/{index}", op, first, other)
    assert isinstance(first, Value)
    return first if factor is None else call.graph.pair(call.name, ops.Mul(), first, np.array(factor))


layer("Add", "ops.Add", "tf.math.add", "tf.__operators__.add")(_merge(ops.Add()))
layer("Multiply", "ops.Multiply", "tf.math.multiply")(_merge(ops.Mul()))
layer("Subtract", "ops.Subtract", "tf.math.subtract")(_merge(ops.Sub()))
layer("ops.Divide", "ops.TrueDivide", "tf.math.truediv")(_merge(ops.Div()))
layer("Maximum", "ops.Maximum")(_merge(ops.Maximum()))
layer("Minimum", "ops.Minimum")(_merge(ops.Minimum()))
layer("Average")(_merge(ops.Add(), factor=lambda count: 1 / count))


@layer("Concatenate", "ops.Concatenate")
def _concatenate(attributes: LayerAttributes) -> Apply:
    axis = attributes.integers("axis", -1)[0]
    return lambda call: call.graph.concat(call.name, call.values, call.axis(axis))


# Shapes


@layer("Flatten")
def _flatten(attributes: LayerAttributes) -> Apply:
    first = attributes.channels_axis() == 0
    return lambda call: call.graph.flatten(call.name, call.x, first_last=first)


@layer("Reshape")
def _reshape(attributes: LayerAttributes) -> Apply:
    target = attributes.integers("target_shape")

    def apply(call: LayerCall) -> Value:
        known = math.prod(size for size in target if size != -1)
        free = math.prod(call.x.shape) // known if known > 0 else 0
        return call.graph.reshape(call.name, call.x, tuple(free if size == -1 else size for size in target))

    return apply


@layer("Permute")
def _permute(attributes: LayerAttributes) -> Apply:
    dims = attributes.integers("dims")
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise ModelFileError(f"dims must be a permutation of the axes from 1, but is {dims}")

    def apply(call: LayerCall) -> Value:
        if len(dims) != len(call.x.shape):
            raise ModelFileError(f"dims are {dims}, but the value has the shape {call.x.shape}")
        return call.graph.transpose(call.name, call.x, [axis - 1 for axis in dims])

    return apply


@layer("ZeroPadding2D")
def _zero_padding(attributes: LayerAttributes) -> Apply:
    (top, bottom), (left, right) = attributes.sides("padding")
    op, channels = ops.Pad((top, left, bottom, right)), attributes.channels_axis()
    return lambda call: call.on_image(channels, lambda name, x: call.graph.add(name, op, x))


@layer("Cropping2D")
def _cropping(attributes: LayerAttributes) -> Apply:
    sides, channels = attributes.sides("cropping"), attributes.channels_axis()

    def apply(call: LayerCall) -> Value:
        (top, bottom), (left, right) = sides

        def crop(name: str, x: Value) -> Value:
            height, width = call.graph.size(x)
            return call.graph.crop(name, x, top, left, height - top - bottom, width - left - right)

        return call.on_image(channels, crop)

    return apply


@layer("UpSampling2D")
def _up_sampling(attributes: LayerAttributes) -> Apply:
    size, channels = attributes.pair("size", [2, 2]), attributes.channels_axis()
    mode = attributes.choice("interpolation", "nearest", "nearest", "bilinear")

    def apply(call: LayerCall) -> Value:
        def enlarge(name: str, x: Value) -> Value:
            height, width = call.graph.size(x)
            target = (height * size[0], width * size[1])
            op = (
                ops.Resize(target, "linear")
                if mode == "bilinear"
                else ops.Resize(target, "nearest", "asymmetric", "floor")
            )
            return call.graph.add(name, op, x)

        return call.on_image(channels, enlarge)

    return apply


def _reduce(kind: type[ops.Reduce]) -> Callable[[LayerAttributes], Apply]:
    def reader(attributes: LayerAttributes) -> Apply:
        axes, keep = attributes.integers("axis"), attributes.flag("keepdims", False)
        return lambda call: call.graph.reduce(call.name, kind, call.x, [call.axis(axis) for axis in axes], keep)

    return reader


layer("ops.Mean")(_reduce(ops.ReduceMean))
layer("ops.Max")(_reduce(ops.ReduceMax))
