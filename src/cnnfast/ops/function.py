"""Functions of one element that are not fused into layers: the parts that other ops are made of.

All of them keep the shape, (N, ...), and propagate NaN. The usual activations behind a convolution are in
``activation.py``.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops.activation import erf
from cnnfast.ops.base import Array, Elementwise, register


class Function(Elementwise):
    """Base of the functions of one element that are never fused."""


@register
@frozen
class Abs(Function):
    """``y = |x|``. ONNX Abs, ``torch.abs``.

    Examples
    --------
    >>> Abs().reference(np.array([-1.0, 2.0]))
    array([1., 2.])
    """

    name: ClassVar[str] = "abs"

    def reference(self, *inputs: Array) -> Array:
        return np.abs(inputs[0])


@register
@frozen
class Sqrt(Function):
    """``y = sqrt(x)``, NaN below zero. ONNX Sqrt, ``torch.sqrt``.

    Examples
    --------
    >>> Sqrt().reference(np.array([4.0]))
    array([2.])
    """

    name: ClassVar[str] = "sqrt"

    def reference(self, *inputs: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.sqrt(inputs[0])


@register
@frozen
class Exp(Function):
    """``y = exp(x)``. ONNX Exp, ``torch.exp``.

    Examples
    --------
    >>> Exp().reference(np.array([0.0]))
    array([1.])
    """

    name: ClassVar[str] = "exp"

    def reference(self, *inputs: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(inputs[0])


@register
@frozen
class Log(Function):
    """``y = log(x)``: minus infinity at zero, NaN below. ONNX Log, ``torch.log``.

    Examples
    --------
    >>> Log().reference(np.array([1.0]))
    array([0.])
    """

    name: ClassVar[str] = "log"

    def reference(self, *inputs: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(inputs[0])


@register
@frozen
class Erf(Function):
    """``y = 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x``. ONNX Erf, ``torch.erf``; the heart of GELU.

    Examples
    --------
    >>> Erf().reference(np.array([0.0]))
    array([0.])
    """

    name: ClassVar[str] = "erf"

    def reference(self, *inputs: Array) -> Array:
        return erf(inputs[0])


@register
@frozen
class Softplus(Function):
    """``y = log(1 + exp(x))``. ONNX Softplus, ``torch.nn.Softplus``.

    Examples
    --------
    >>> Softplus().reference(np.array([0.0])).round(4)
    array([0.6931])
    """

    name: ClassVar[str] = "softplus"
    flops: ClassVar[int] = 4

    def reference(self, *inputs: Array) -> Array:
        return softplus(inputs[0])


@register
@frozen
class Softsign(Function):
    """``y = x / (1 + |x|)``. ONNX Softsign, ``torch.nn.Softsign``.

    Examples
    --------
    >>> Softsign().reference(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    name: ClassVar[str] = "softsign"
    flops: ClassVar[int] = 3

    def reference(self, *inputs: Array) -> Array:
        with np.errstate(invalid="ignore"):
            result: Array = inputs[0] / (1 + np.abs(inputs[0]))
        return result


@register
@frozen
class ThresholdedRelu(Function):
    """``y = x if x > alpha else 0``. ONNX ThresholdedRelu, ``torch.nn.Threshold`` with value 0.

    Examples
    --------
    >>> ThresholdedRelu(1.0).reference(np.array([0.5, 2.0]))
    array([0., 2.])
    """

    name: ClassVar[str] = "thresholded_relu"

    alpha: float = 1.0

    def reference(self, *inputs: Array) -> Array:
        return np.where(inputs[0] <= self.alpha, 0, inputs[0])


@register
@frozen
class Mish(Function):
    """``y = x * tanh(log(1 + exp(x)))``. ONNX Mish, ``torch.nn.Mish``; Misra, 2019.

    Examples
    --------
    >>> Mish().reference(np.array([0.0]))
    array([0.])
    """

    name: ClassVar[str] = "mish"
    flops: ClassVar[int] = 6

    def reference(self, *inputs: Array) -> Array:
        result: Array = inputs[0] * np.tanh(softplus(inputs[0]))
        return result


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow: the argument of exp is never positive."""
    result: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return result


@register
@frozen
class Sign(Function):
    """``y`` is 1 above zero, -1 below it, else x itself. ONNX Sign, ``numpy.sign``; ``torch.sign`` of NaN is 0.

    Examples
    --------
    >>> Sign().reference(np.array([-3.0, 0.0, 2.0]))
    array([-1.,  0.,  1.])
    """

    name: ClassVar[str] = "sign"

    def reference(self, *inputs: Array) -> Array:
        return np.sign(inputs[0])


@register
@frozen
class Round(Function):
    """``y`` is the nearest integer, of two the even one. ONNX Round, ``torch.round``, ``tf.round``.

    Examples
    --------
    >>> Round().reference(np.array([0.5, 1.5, -2.6]))
    array([ 0.,  2., -3.])
    """

    name: ClassVar[str] = "round"

    def reference(self, *inputs: Array) -> Array:
        return np.rint(inputs[0])
