"""Activations, functions of one element, and arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast import ops
from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.builder import TorchGraph, need_constant, need_images
from cnnfast.formats.torch.table import aten
from cnnfast.formats.torch.values import TorchConstant, TorchImages
from cnnfast.ops import Array, Op

PLAIN: dict[str, Op] = {
    "relu": ops.Relu(),
    "sigmoid": ops.Sigmoid(),
    "tanh": ops.Tanh(),
    "silu": ops.Silu(),
    "hardswish": ops.HardSwish(),
    "hardsigmoid": ops.HardSigmoid(),
    "relu6": ops.Clip(0.0, 6.0),
    "mish": ops.Mish(),
    "abs": ops.Abs(),
    "exp": ops.Exp(),
    "log": ops.Log(),
    "sqrt": ops.Sqrt(),
    "erf": ops.Erf(),
    "sign": ops.Sign(),
}
"""Functions of one element without arguments."""

MOST_FACTORS = 8
"""Of a power that becomes a product."""


def _enter(name: str, op: Op) -> None:
    @aten(name)
    def handler(b: TorchGraph, self: object) -> TorchImages:
        return each(b, op, self)


for _name, _op in PLAIN.items():
    _enter(_name, _op)


def each(b: TorchGraph, op: Op, value: object) -> TorchImages:
    """Apply a function of one element."""
    return b.emit(op, need_images(value))


@aten("round")
def round_(b: TorchGraph, self: object, decimals: int = 0) -> TorchImages:
    """``torch.round``, of two integers to the even one."""
    if decimals:
        raise UnsupportedError(f"decimals={decimals}; supported: 0")
    return each(b, ops.Round(), self)


@aten("gelu")
def gelu(b: TorchGraph, self: object, approximate: str = "none") -> TorchImages:
    """``torch.nn.GELU``."""
    return each(b, ops.Gelu(approximate), self)


@aten("leaky_relu")
def leaky_relu(b: TorchGraph, self: object, negative_slope: float) -> TorchImages:
    """``torch.nn.LeakyReLU``."""
    return each(b, ops.LeakyRelu(float(negative_slope)), self)


@aten("elu")
def elu(b: TorchGraph, self: object, alpha: float, scale: float, input_scale: float) -> TorchImages:
    """``torch.nn.ELU``, and SELU as one with a scale."""
    if input_scale != 1:
        raise UnsupportedError(f"input_scale={input_scale}; supported: 1")
    y = each(b, ops.Elu(float(alpha)), self)
    return y if scale == 1 else binary(b, ops.Mul(), y, scale)


@aten("celu")
def celu(b: TorchGraph, self: object, alpha: float) -> TorchImages:
    """``torch.nn.CELU``: ELU of ``x / alpha``, times alpha; Barron, 2017."""
    return binary(b, ops.Mul(), elu(b, binary(b, ops.Div(), self, alpha), 1, 1, 1), alpha)


@aten("selu")
def selu(b: TorchGraph, self: object) -> TorchImages:
    """``torch.nn.SELU``; Klambauer et al., 2017."""
    return elu(b, self, 1.6732632423543772, 1.0507009873554805, 1)


@aten("prelu")
def prelu(b: TorchGraph, self: object, weight: object) -> TorchImages:
    """``torch.nn.PReLU``."""
    slope = need_constant(weight, "slope")
    return b.emit(ops.PRelu(), need_images(self), parameters=(TorchConstant(slope.tensor.reshape(-1), slope.name),))


@aten("softplus")
def softplus(b: TorchGraph, self: object, beta: float, threshold: float) -> TorchImages:
    """``torch.nn.Softplus``; above the threshold it differs from ``x`` by less than float32 can tell."""
    if beta <= 0 or threshold < 20:
        raise UnsupportedError(f"beta={beta} and threshold={threshold}; supported: above 0 and at least 20")
    if beta == 1:
        return each(b, ops.Softplus(), self)
    return binary(b, ops.Div(), each(b, ops.Softplus(), binary(b, ops.Mul(), self, beta)), beta)


@aten("log_sigmoid")
def log_sigmoid(b: TorchGraph, self: object) -> TorchImages:
    """``torch.nn.LogSigmoid``: minus the softplus of ``-x``."""
    return neg(b, each(b, ops.Softplus(), neg(b, self)))


@aten("hardtanh", "clamp", "clamp_min", "clamp_max")
def clamp(b: TorchGraph, self: object, **limits: float | None) -> TorchImages:
    """``torch.clamp``, also of one end, ``torch.nn.Hardtanh`` and ReLU6."""
    low, high = (limits.get(f"{end}_val", limits.get(end)) for end in ("min", "max"))
    if any(isinstance(limit, TorchImages | TorchConstant) for limit in (low, high)):
        raise UnsupportedError("its limits are tensors; supported: numbers")
    if low is not None and high is not None:
        return each(b, ops.Clip(float(low), float(high)), self)
    return binary(b, ops.Maximum(), self, low) if high is None else binary(b, ops.Minimum(), self, high)


@aten("add")
def add(b: TorchGraph, self: object, other: object, alpha: float = 1) -> TorchImages:
    """``torch.add``."""
    return binary(b, ops.Add(), self, _times(b, other, alpha))


@aten("sub")
def sub(b: TorchGraph, self: object, other: object, alpha: float = 1) -> TorchImages:
    """``torch.sub``."""
    return binary(b, ops.Sub(), self, _times(b, other, alpha))


@aten("rsub")
def rsub(b: TorchGraph, self: object, other: object, alpha: float = 1) -> TorchImages:
    """Return ``other - alpha * self``."""
    return binary(b, ops.Sub(), other, _times(b, self, alpha))


def _times(b: TorchGraph, value: object, factor: float) -> object:
    if factor == 1:
        return value
    if isinstance(value, int | float):
        return value * factor
    if isinstance(value, TorchImages):
        return binary(b, ops.Mul(), value, factor)
    return TorchConstant(value.tensor * factor)  # type: ignore[attr-defined]


@aten("addcmul")
def addcmul(b: TorchGraph, self: object, tensor1: object, tensor2: object, value: float = 1) -> TorchImages:
    """``torch.addcmul``: ``self + value * tensor1 * tensor2``."""
    product = mul(b, tensor1, tensor2) if TorchImages in (type(tensor1), type(tensor2)) else _product(tensor1, tensor2)
    return add(b, self, product, value)


def _product(left: object, right: object) -> TorchConstant:
    return TorchConstant(need_constant(left, "factor").tensor * need_constant(right, "factor").tensor)


@aten("mul")
def mul(b: TorchGraph, self: object, other: object) -> TorchImages:
    """``torch.mul``."""
    return binary(b, ops.Mul(), self, other)


@aten("div")
def div(b: TorchGraph, self: object, other: object, rounding_mode: str | None = None) -> TorchImages:
    """``torch.div``."""
    if rounding_mode is not None:
        raise UnsupportedError(f"rounding_mode={rounding_mode!r}; supported: None")
    return binary(b, ops.Div(), self, other)


@aten("maximum")
def maximum(b: TorchGraph, self: object, other: object) -> TorchImages:
    """``torch.maximum``."""
    return binary(b, ops.Maximum(), self, other)


@aten("minimum")
def minimum(b: TorchGraph, self: object, other: object) -> TorchImages:
    """``torch.minimum``."""
    return binary(b, ops.Minimum(), self, other)


@aten("neg")
def neg(b: TorchGraph, self: object) -> TorchImages:
    """Return ``-x``."""
    return binary(b, ops.Mul(), self, -1.0)


@aten("reciprocal")
def reciprocal(b: TorchGraph, self: object) -> TorchImages:
    """Return ``1 / x``."""
    return binary(b, ops.Div(), 1.0, self)


@aten("rsqrt")
def rsqrt(b: TorchGraph, self: object) -> TorchImages:
    """Return ``1 / sqrt(x)``."""
    return binary(b, ops.Div(), 1.0, each(b, ops.Sqrt(), self))


@aten("pow")
def power(b: TorchGraph, self: object, exponent: object) -> TorchImages:
    """``torch.pow`` with an exponent that is a product or a root."""
    factors: dict[object, Callable[[], TorchImages]] = {
        2: lambda: binary(b, ops.Mul(), self, self),
        0.5: lambda: each(b, ops.Sqrt(), self),
        -1: lambda: reciprocal(b, self),
        -0.5: lambda: rsqrt(b, self),
    }
    if isinstance(exponent, int | float) and exponent in range(3, MOST_FACTORS + 1):
        y = need_images(self)
        for _ in range(int(exponent) - 1):
            y = binary(b, ops.Mul(), y, self)
        return y
    if isinstance(exponent, TorchImages | TorchConstant) or exponent not in factors:
        raise UnsupportedError(f"the exponent {exponent!r:.60}; supported: 2 to {MOST_FACTORS}, 1/2, -1, -1/2")
    return factors[exponent]()


def binary(b: TorchGraph, op: Op, left: object, right: object) -> TorchImages:
    """Append an op of two values, of which one may be a number or a constant."""
    images = [v for v in (left, right) if isinstance(v, TorchImages)]
    rank = len(images[0].shape)
    if len(images) == 2:
        if len(images[1].shape) != rank:
            raise UnsupportedError(f"it broadcasts {images[0].shape} with {images[1].shape}, and the images with them")
        return b.emit(op, *images)
    operands = [v if isinstance(v, TorchImages) else _aligned(v, rank) for v in (left, right)]
    return b.emit(op, *operands)


def _aligned(value: object, rank: int) -> Array:
    """Return a constant with as many axes as an image."""
    array: Array = value.of_one_image(rank) if isinstance(value, TorchConstant) else np.array(value, np.float64)
    return array.reshape(1) if array.size == 1 else array.reshape((1,) * (rank - array.ndim) + array.shape)
