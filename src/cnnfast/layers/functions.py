"""Activations and other functions of one element, as layers."""

from __future__ import annotations

from cnnfast import ops
from cnnfast.layers.structure import Layer, layer_of


def Relu(*, name: str | None = None) -> Layer:
    """``y = max(x, 0)``; see `cnnfast.ops.Relu`."""
    return layer_of(ops.Relu, name)


def Clip(low: float = 0.0, high: float = 6.0, *, name: str | None = None) -> Layer:
    """``y = min(max(x, low), high)``; see `cnnfast.ops.Clip`."""
    return layer_of(ops.Clip, name, low, high)


def LeakyRelu(slope: float = 0.01, *, name: str | None = None) -> Layer:
    """``y = x if x >= 0 else slope * x``; see `cnnfast.ops.LeakyRelu`."""
    return layer_of(ops.LeakyRelu, name, slope)


def Elu(alpha: float = 1.0, *, name: str | None = None) -> Layer:
    """``y = x if x > 0 else alpha * (exp(x) - 1)``; see `cnnfast.ops.Elu`."""
    return layer_of(ops.Elu, name, alpha)


def Sigmoid(*, name: str | None = None) -> Layer:
    """``y = 1 / (1 + exp(-x))``; see `cnnfast.ops.Sigmoid`."""
    return layer_of(ops.Sigmoid, name)


def Tanh(*, name: str | None = None) -> Layer:
    """``y = tanh(x)``; see `cnnfast.ops.Tanh`."""
    return layer_of(ops.Tanh, name)


def HardSigmoid(alpha: float = 1 / 6, beta: float = 0.5, *, name: str | None = None) -> Layer:
    """``y = min(max(alpha * x + beta, 0), 1)``; see `cnnfast.ops.HardSigmoid`."""
    return layer_of(ops.HardSigmoid, name, alpha, beta)


def HardSwish(*, name: str | None = None) -> Layer:
    """``y = x * min(max(x / 6 + 1/2, 0), 1)``; see `cnnfast.ops.HardSwish`."""
    return layer_of(ops.HardSwish, name)


def Silu(*, name: str | None = None) -> Layer:
    """``y = x / (1 + exp(-x))``; see `cnnfast.ops.Silu`."""
    return layer_of(ops.Silu, name)


def Gelu(approximate: str = "none", *, name: str | None = None) -> Layer:
    """``y = x * Phi(x)`` with the normal distribution function, exactly (erf) or by the tanh formula.

    See `cnnfast.ops.Gelu`.
    """
    return layer_of(ops.Gelu, name, approximate)


def Softmax(axis: int = 1, *, name: str | None = None) -> Layer:
    """Turn scores into probabilities: ``y = exp(x - max) / sum(exp(x - max))`` along one axis.

    See `cnnfast.ops.Softmax`.
    """
    return layer_of(ops.Softmax, name, axis)


def LogSoftmax(axis: int = 1, *, name: str | None = None) -> Layer:
    """Take the logarithm of softmax without forming it: ``y = x - max - log(sum(exp(x - max)))``.

    See `cnnfast.ops.LogSoftmax`.
    """
    return layer_of(ops.LogSoftmax, name, axis)


def Abs(*, name: str | None = None) -> Layer:
    """``y = |x|``; see `cnnfast.ops.Abs`."""
    return layer_of(ops.Abs, name)


def Sqrt(*, name: str | None = None) -> Layer:
    """``y = sqrt(x)``, NaN below zero; see `cnnfast.ops.Sqrt`."""
    return layer_of(ops.Sqrt, name)


def Exp(*, name: str | None = None) -> Layer:
    """``y = exp(x)``; see `cnnfast.ops.Exp`."""
    return layer_of(ops.Exp, name)


def Log(*, name: str | None = None) -> Layer:
    """``y = log(x)``: minus infinity at zero, NaN below; see `cnnfast.ops.Log`."""
    return layer_of(ops.Log, name)


def Erf(*, name: str | None = None) -> Layer:
    """``y = 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x``; see `cnnfast.ops.Erf`."""
    return layer_of(ops.Erf, name)


def Softplus(*, name: str | None = None) -> Layer:
    """``y = log(1 + exp(x))``; see `cnnfast.ops.Softplus`."""
    return layer_of(ops.Softplus, name)


def Softsign(*, name: str | None = None) -> Layer:
    """``y = x / (1 + |x|)``; see `cnnfast.ops.Softsign`."""
    return layer_of(ops.Softsign, name)


def ThresholdedRelu(alpha: float = 1.0, *, name: str | None = None) -> Layer:
    """``y = x if x > alpha else 0``; see `cnnfast.ops.ThresholdedRelu`."""
    return layer_of(ops.ThresholdedRelu, name, alpha)


def Mish(*, name: str | None = None) -> Layer:
    """``y = x * tanh(log(1 + exp(x)))``; see `cnnfast.ops.Mish`."""
    return layer_of(ops.Mish, name)


def Sign(*, name: str | None = None) -> Layer:
    """``y`` is 1 above zero, -1 below it, else x itself; see `cnnfast.ops.Sign`."""
    return layer_of(ops.Sign, name)


def Round(*, name: str | None = None) -> Layer:
    """``y`` is the nearest integer, of two the even one; see `cnnfast.ops.Round`."""
    return layer_of(ops.Round, name)
