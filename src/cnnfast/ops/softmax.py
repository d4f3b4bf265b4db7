"""Softmax and its logarithm."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


@frozen
class _OverAxis(Op):
    axis: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        if not 1 <= self.axis <= len(inputs[0]):
            raise GraphError(
                f"axis of {self.name} must be from 1 (axis 0 counts the images) to {len(inputs[0])} "
                f"for an input of shape {inputs[0]}, but is {self.axis}"
            )
        return inputs[0]

    def cost(self, *inputs: Shape) -> Cost:
        return Cost(flops=4 * math.prod(inputs[0]))


@register
@frozen
class Softmax(_OverAxis):
    """Turn scores into probabilities: ``y = exp(x - max) / sum(exp(x - max))`` along one axis.

    Shapes: x (N, K) or (N, C, H, W), y as x. ``axis`` counts from N = 0, so 1 is the class or channel axis.

    Notes
    -----
    Equals ONNX Softmax (opset 13) and ``torch.softmax``.

    Examples
    --------
    >>> Softmax().reference(np.zeros((1, 4)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """

    name: ClassVar[str] = "softmax"

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        with np.errstate(invalid="ignore"):
            e = np.exp(x - x.max(axis=self.axis, keepdims=True))
        result: Array = e / e.sum(axis=self.axis, keepdims=True)
        return result


@register
@frozen
class LogSoftmax(_OverAxis):
    """Take the logarithm of softmax without forming it: ``y = x - max - log(sum(exp(x - max)))``.

    Shapes: x (N, K) or (N, C, H, W), y as x.

    Notes
    -----
    Equals ONNX LogSoftmax (opset 13) and ``torch.log_softmax``.

    Examples
    --------
    >>> LogSoftmax().reference(np.zeros((1, 1)))
    array([[0.]])
    """

    name: ClassVar[str] = "log_softmax"

    def reference(self, *inputs: Array) -> Array:
        x = inputs[0]
        with np.errstate(invalid="ignore"):
            shifted = x - x.max(axis=self.axis, keepdims=True)
        result: Array = shifted - np.log(np.exp(shifted).sum(axis=self.axis, keepdims=True))
        return result
