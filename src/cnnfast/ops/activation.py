"""Activations: functions of one element.

All of them keep the shape, (N, ...), and propagate NaN. Each class is a formula, its attributes and its names
elsewhere; `Elementwise` holds the rest.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Elementwise, Shape, register


class Activation(Elementwise):
    """Base of the activations."""


@register
@frozen
class Relu(Activation):
    """``y = max(x, 0)``. ONNX Relu, ``torch.relu``.

    Examples
    --------
    >>> Relu().reference(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    name: ClassVar[str] = "relu"

    def reference(self, *inputs: Array) -> Array:
        return np.maximum(inputs[0], 0)


@register
@frozen
class Clip(Activation):
    """``y = min(max(x, low), high)``. ONNX Clip, ``torch.clamp``; ReLU6 by default.

    Raises
    ------
    GraphError
        If low is above high.

    Examples
    --------
    >>> Clip().reference(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """

    name: ClassVar[str] = "clip"
    selects: ClassVar[bool] = True

    low: float = 0.0
    high: float = 6.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise GraphError(f"low of clip must be at most high, but they are {self.low} and {self.high}")

    def reference(self, *inputs: Array) -> Array:
        return np.minimum(np.maximum(inputs[0], self.low), self.high)


@register
@frozen
class LeakyRelu(Activation):
    """``y = x if x >= 0 else slope * x``. ONNX LeakyRelu, ``torch.nn.LeakyReLU``.

    Examples
    --------
    >>> LeakyRelu(slope=0.1).reference(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    name: ClassVar[str] = "leaky_relu"

    slope: float = 0.01

    def reference(self, *inputs: Array) -> Array:
        return np.where(inputs[0] >= 0, inputs[0], self.slope * inputs[0])


@register
@frozen
class PRelu(Activation):
    """``y = x if x >= 0 else slope[c] * x`` with a trained slope, one for each channel or one for all.

    Shapes: x (N, C, ...), slope (C,) or (1,). ONNX PRelu, ``torch.nn.PReLU``.

    Raises
    ------
    GraphError
        If there are neither one nor C slopes.

    Examples
    --------
    >>> PRelu().reference(np.array([[-1.0, 2.0]]), np.array([0.5]))
    array([[-0.5,  2. ]])
    """

    name: ClassVar[str] = "prelu"
    parameters: ClassVar[tuple[str, ...]] = ("slope",)

    def shape(self, *inputs: Shape) -> Shape:
        if inputs[1] not in ((1,), inputs[0][:1]):
            raise GraphError(f"prelu on {inputs[0]} needs a slope of shape (1,) or {inputs[0][:1]}, not {inputs[1]}")
        return inputs[0]

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        slope = inputs[1].reshape(-1, *(1,) * (x.ndim - 2))
        return np.where(x >= 0, x, slope * x)


@register
@frozen
class Elu(Activation):
    """``y = x if x > 0 else alpha * (exp(x) - 1)``. ONNX Elu, ``torch.nn.ELU``; Clevert et al., 2015.

    Examples
    --------
    >>> Elu().reference(np.array([0.0, 2.0]))
    array([0., 2.])
    """

    name: ClassVar[str] = "elu"
    flops: ClassVar[int] = 3

    alpha: float = 1.0

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))


@register
@frozen
class Sigmoid(Activation):
    """``y = 1 / (1 + exp(-x))``. ONNX Sigmoid, ``torch.sigmoid``.

    Examples
    --------
    >>> Sigmoid().reference(np.array([0.0]))
    array([0.5])
    """

    name: ClassVar[str] = "sigmoid"
    flops: ClassVar[int] = 3

    def reference(self, *inputs: Array) -> Array:
        return sigmoid(inputs[0])


@register
@frozen
class Tanh(Activation):
    """``y = tanh(x)``. ONNX Tanh, ``torch.tanh``.

    Examples
    --------
    >>> Tanh().reference(np.array([0.0]))
    array([0.])
    """

    name: ClassVar[str] = "tanh"

    def reference(self, *inputs: Array) -> Array:
        return np.tanh(inputs[0])


@register
@frozen
class HardSigmoid(Activation):
    """``y = min(max(alpha * x + beta, 0), 1)``. ONNX HardSigmoid; alpha is 1/6 in PyTorch and Keras 3, 0.2 in Keras 2.

    Examples
    --------
    >>> HardSigmoid(alpha=0.25).reference(np.array([-9.0, 1.0]))
    array([0.  , 0.75])
    """

    name: ClassVar[str] = "hard_sigmoid"
    flops: ClassVar[int] = 4

    alpha: float = 1 / 6
    beta: float = 0.5

    def reference(self, *inputs: Array) -> Array:
        return np.clip(self.alpha * inputs[0] + self.beta, 0, 1)


@register
@frozen
class HardSwish(Activation):
    """``y = x * min(max(x / 6 + 1/2, 0), 1)``. ONNX HardSwish, ``torch.nn.Hardswish``; Howard et al., 2019.

    Examples
    --------
    >>> HardSwish().reference(np.array([-9.0, 9.0]))
    array([-0.,  9.])
    """

    name: ClassVar[str] = "hard_swish"
    flops: ClassVar[int] = 5

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        result: Array = x * np.clip(x / 6 + 0.5, 0, 1)
        return result


@register
@frozen
class Silu(Activation):
    """``y = x / (1 + exp(-x))``. Also called swish; ``torch.nn.SiLU``.

    Examples
    --------
    >>> Silu().reference(np.array([0.0]))
    array([0.])
    """

    name: ClassVar[str] = "silu"
    flops: ClassVar[int] = 4

    def reference(self, *inputs: Array) -> Array:
        result: Array = inputs[0] * sigmoid(inputs[0])
        return result


@register
@frozen
class Gelu(Activation):
    """``y = x * Phi(x)`` with the normal distribution function, exactly (erf) or by the tanh formula.

    ``approximate="none"``: ``x/2 * (1 + erf(x / sqrt(2)))``; ``"tanh"``:
    ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3)))``. ONNX Gelu, ``torch.nn.GELU``; Hendrycks and Gimpel, 2016.

    Raises
    ------
    GraphError
        For another value of ``approximate``.

    Examples
    --------
    >>> Gelu().reference(np.array([0.0]))
    array([0.])
    """

    name: ClassVar[str] = "gelu"
    flops: ClassVar[int] = 5

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise GraphError(f"approximate of gelu must be 'none' or 'tanh', but is {self.approximate!r}")

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        if self.approximate == "tanh":
            bell: Array = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        else:
            bell = erf(x / math.sqrt(2))
        result: Array = x / 2 * (1 + bell)
        return result


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow: the argument of exp is never positive."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def erf(x: Array) -> Array:
    """Return the error function through the C library, in double precision."""
    result: Array = np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype)
    return result
