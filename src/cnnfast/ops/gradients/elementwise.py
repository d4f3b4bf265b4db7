"""Gradients of the functions of one element: ``dx = dy * f'(x)``.

At a kink the derivative is that of PyTorch.
"""

from __future__ import annotations

import math

import numpy as np

from cnnfast.ops.activation import (
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
    erf,
    sigmoid,
)
from cnnfast.ops.base import Array
from cnnfast.ops.gradients.base import Gradients, gradient_of, over_channels, per_channel


@gradient_of(Relu)
def _relu(op: Relu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.where(y > 0, dy, 0),)


@gradient_of(Clip)
def _clip(op: Clip, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.where((inputs[0] >= op.low) & (inputs[0] <= op.high), dy, 0),)


@gradient_of(LeakyRelu)
def _leaky_relu(op: LeakyRelu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.where(inputs[0] > 0, dy, op.slope * dy),)


@gradient_of(PRelu)
def _prelu(op: PRelu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x, slope = inputs
    dslope = over_channels(np.where(x > 0, 0, x * dy))
    dx = np.where(x > 0, dy, per_channel(slope, x.ndim) * dy)
    return dx, dslope if slope.shape == dslope.shape else dslope.sum(keepdims=True)


@gradient_of(Elu)
def _elu(op: Elu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.where(inputs[0] > 0, dy, dy * op.alpha * np.exp(np.minimum(inputs[0], 0))),)


@gradient_of(Sigmoid)
def _sigmoid(op: Sigmoid, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (dy * y * (1 - y),)


@gradient_of(Tanh)
def _tanh(op: Tanh, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (dy * (1 - y * y),)


@gradient_of(HardSigmoid)
def _hard_sigmoid(op: HardSigmoid, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.where((y > 0) & (y < 1), op.alpha * dy, 0),)


@gradient_of(HardSwish)
def _hard_swish(op: HardSwish, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x = inputs[0]
    slope = np.where(x < -3, 0, np.where(x <= 3, x / 3 + 0.5, 1))
    return (dy * slope.astype(x.dtype),)


@gradient_of(Silu)
def _silu(op: Silu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x, s = inputs[0], sigmoid(inputs[0])
    return (dy * s * (1 + x * (1 - s)),)


@gradient_of(Gelu)
def _gelu(op: Gelu, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    x = inputs[0]
    if op.approximate == "tanh":
        bell = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
        return (dy * ((1 + bell) / 2 + x / 2 * (1 - bell**2) * inner),)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return (dy * ((1 + erf(x / math.sqrt(2))) / 2 + x * density),)
