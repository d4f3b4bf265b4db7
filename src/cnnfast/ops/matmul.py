"""The product of two values, image by image."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


@register
@frozen
class MatMul(Op):
    """Multiply the matrices of two values: ``y[m, o] = sum over k of a[m, k] * b[k, o]``, for every image separately.

    Shapes: a (N, ..., M, K), b (N, ..., K, O), y (N, ..., M, O). Both have the same number of axes; those before the
    last two are equal, or all 1 in one of the values.

    Accumulation: float32 in the order of K. Cost: M * K * O multiply-adds per matrix.

    Raises
    ------
    GraphError
        If the sizes do not fit, or a value has fewer than two axes.

    Notes
    -----
    Equals ONNX MatMul and ``torch.matmul`` of two activations: the products of attention. A constant matrix is a
    `Linear` or a 1x1 `Conv2d`.

    Examples
    --------
    >>> MatMul().shape((4, 16, 8), (4, 8, 16))
    (4, 16, 16)
    """

    name: ClassVar[str] = "matmul"
    data: ClassVar[tuple[str, ...]] = ("a", "b")

    def shape(self, *inputs: Shape) -> Shape:
        a, b = inputs
        if len(a) != len(b) or len(a) < 2:
            raise GraphError(f"matmul needs two values with equally many axes, at least two, but got {a} and {b}")
        if a[-1] != b[-2]:
            raise GraphError(f"matmul needs as many columns of a as rows of b, but got {a} and {b}")
        first, second = a[:-2], b[:-2]
        if first != second and math.prod(first) != 1 and math.prod(second) != 1:
            raise GraphError(f"matmul needs equal axes in front of the last two, or only 1, but got {a} and {b}")
        front = second if math.prod(first) == 1 else first
        return (*front, a[-2], b[-1])

    def reference(self, *inputs: Array) -> Array:
        # numbers beyond the range of the type become infinities, and their sums may be NaN
        with np.errstate(over="ignore", invalid="ignore"):
            return np.matmul(*inputs)

    def cost(self, *inputs: Shape) -> Cost:
        macs = math.prod(self.shape(*inputs)) * inputs[0][-1]
        return Cost(macs=macs, flops=2 * macs)
