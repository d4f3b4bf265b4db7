"""Sum and product of two values, with broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Op, Shape, register


@dataclass(frozen=True)
class _Binary(Op):
    data: ClassVar[tuple[str, ...]] = ("a", "b")

    def shape(self, *inputs: Shape) -> Shape:
        try:
            return np.broadcast_shapes(*inputs)
        except ValueError:
            raise GraphError(
                f"{self.name} cannot broadcast {inputs[0]} with {inputs[1]}: from the right, sizes must be equal or 1"
            ) from None

    def _aligned(self, *inputs: Array) -> tuple[Array, Array]:
        """Return both values with as many axes, so that N meets N however many axes an image has."""
        rank = max(x.ndim for x in inputs)
        a, b = (x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs)
        return a, b


@register
@dataclass(frozen=True)
class Add(_Binary):
    """Add two values element by element: ``y = a + b``.

    Shapes: a and b of one image broadcast from the right as in NumPy; either may be a constant.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Add and ``torch.add``; the residual connection of ResNet.

    Examples
    --------
    >>> Add().shape((16, 8, 8), (16, 1, 1))
    (16, 8, 8)
    """

    name: ClassVar[str] = "add"

    def reference(self, *inputs: Array) -> Array:
        a, b = self._aligned(*inputs)
        result: Array = a + b
        return result


@register
@dataclass(frozen=True)
class Mul(_Binary):
    """Multiply two values element by element: ``y = a * b``.

    Shapes: a and b of one image broadcast from the right as in NumPy; either may be a constant.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Mul and ``torch.mul``; the gate of squeeze-and-excitation.

    Examples
    --------
    >>> Mul().shape((16, 8, 8), (16, 1, 1))
    (16, 8, 8)
    """

    name: ClassVar[str] = "mul"

    def reference(self, *inputs: Array) -> Array:
        a, b = self._aligned(*inputs)
        result: Array = a * b
        return result
