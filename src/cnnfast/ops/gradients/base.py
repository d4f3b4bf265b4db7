"""The list of gradients, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.ops.base import Array, Op
from cnnfast.runtime.registry import Registry

Gradients = tuple[Array, ...]
Gradient = Callable[[Any, tuple[Array, ...], Array, Array], Gradients]
AnyGradient = TypeVar("AnyGradient", bound=Gradient)

GRADIENTS: Registry[type[Op], Gradient] = Registry("gradients")
"""The gradient of each op, filled by `gradient_of`; a class stands for all that derive from it."""


gradient_of = GRADIENTS.register
"""Enter a function as the gradient of one or more ops."""


def has_gradient(op: Op) -> bool:
    """Return whether an op can be trained through.

    Examples
    --------
    >>> from cnnfast.ops import Relu
    >>> has_gradient(Relu())
    True
    """
    return GRADIENTS.of_instance(op) is not None


def gradient(op: Op, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    """Return the derivative of ``sum(dy * y)`` with respect to each input of an op.

    Parameters
    ----------
    op : Op
    inputs : tuple of array
        The arguments of the reference: data inputs (N, ...), or (1, ...) for a constant, then parameters.
    y : array (N, ...)
        The result of the reference.
    dy : array (N, ...)
        The derivative of the loss with respect to y.

    Returns
    -------
    tuple of array
        One for each input, of its shape; those of parameters and constants are summed over the images.

    Raises
    ------
    UnsupportedError
        If the op has no gradient.

    Examples
    --------
    >>> from cnnfast.ops import Relu
    >>> x = np.array([[-1.0, 2.0]])
    >>> gradient(Relu(), (x,), np.maximum(x, 0), np.ones((1, 2)))
    (array([[0., 1.]]),)
    """
    found = GRADIENTS.of_instance(op)
    if found is None:
        raise UnsupportedError(f"{op.name} has no gradient, so a network cannot be trained through it")
    return found(op, inputs, y, dy)


def summed_to(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of this shape was repeated.

    Examples
    --------
    >>> summed_to(np.ones((2, 3, 4)), (1, 3, 1)).tolist()
    [[[8.0], [8.0], [8.0]]]
    """
    repeated = tuple(i for i, (own, whole) in enumerate(zip(shape, grad.shape, strict=True)) if own < whole)
    result: Array = grad.sum(axis=repeated, keepdims=True)
    return result


def per_channel(values: Array, rank: int) -> Array:
    """Return (C,) as an array that broadcasts with (N, C, ...) of ``rank`` axes."""
    return values.reshape(-1, *(1,) * (rank - 2))


def over_channels(grad: Array) -> Array:
    """Sum (N, C, ...) over all but the channels."""
    result: Array = grad.sum(axis=tuple(i for i in range(grad.ndim) if i != 1))
    return np.asarray(result)
