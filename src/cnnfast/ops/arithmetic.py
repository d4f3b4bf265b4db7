"""Functions of two values, element by element, with broadcasting: sum, difference, product, quotient, extremes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Op, Shape, register


@frozen
class Binary(Op):
    """Base of the functions of two values."""

    data: ClassVar[tuple[str, ...]] = ("a", "b")

    def shape(self, *inputs: Shape) -> Shape:
        try:
            return np.broadcast_shapes(*inputs)
        except ValueError:
            raise GraphError(
                f"{self.name} cannot broadcast {inputs[0]} with {inputs[1]}: from the right, sizes must be equal or 1"
            ) from None

    def aligned(self, *inputs: Array) -> tuple[Array, Array]:
        """Return both values with equal numbers of axes, so that N is aligned with N however many axes an image has."""
        rank = max(x.ndim for x in inputs)
        a, b = (x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs)
        return a, b


@register
@frozen
class Add(Binary):
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
        a, b = self.aligned(*inputs)
        result: Array = a + b
        return result


@register
@frozen
class Mul(Binary):
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
        a, b = self.aligned(*inputs)
        result: Array = a * b
        return result


@register
@frozen
class Sub(Binary):
    """Subtract the second value from the first: ``y = a - b``.

    Shapes: as for `Add`.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Sub and ``torch.sub``.

    Examples
    --------
    >>> Sub().reference(np.array([[3.0]]), np.array([[1.0]]))
    array([[2.]])
    """

    name: ClassVar[str] = "sub"

    def reference(self, *inputs: Array) -> Array:
        a, b = self.aligned(*inputs)
        result: Array = a - b
        return result


@register
@frozen
class Div(Binary):
    """Divide the first value by the second: ``y = a / b``; by zero gives infinity or NaN.

    Shapes: as for `Add`.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Div of floats and ``torch.div``.

    Examples
    --------
    >>> Div().reference(np.array([[3.0]]), np.array([[2.0]]))
    array([[1.5]])
    """

    name: ClassVar[str] = "div"

    def reference(self, *inputs: Array) -> Array:
        a, b = self.aligned(*inputs)
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Array = a / b
        return result


@register
@frozen
class Maximum(Binary):
    """Take the larger of two values: ``y = max(a, b)``; NaN wins.

    Shapes: as for `Add`. With a number as second value it is a clip from below.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Max of two inputs and ``torch.maximum``.

    Examples
    --------
    >>> Maximum().reference(np.array([[3.0, -1.0]]), np.zeros((1, 1)))
    array([[3., 0.]])
    """

    name: ClassVar[str] = "maximum"
    selects: ClassVar[bool] = True

    def reference(self, *inputs: Array) -> Array:
        return np.maximum(*self.aligned(*inputs))


@register
@frozen
class Minimum(Binary):
    """Take the smaller of two values: ``y = min(a, b)``; NaN wins.

    Shapes: as for `Add`. With a number as second value it is a clip from above.

    Raises
    ------
    GraphError
        If the shapes do not broadcast.

    Notes
    -----
    Equals ONNX Min of two inputs and ``torch.minimum``.

    Examples
    --------
    >>> Minimum().reference(np.array([[3.0, -1.0]]), np.zeros((1, 1)))
    array([[ 0., -1.]])
    """

    name: ClassVar[str] = "minimum"
    selects: ClassVar[bool] = True

    def reference(self, *inputs: Array) -> Array:
        return np.minimum(*self.aligned(*inputs))
