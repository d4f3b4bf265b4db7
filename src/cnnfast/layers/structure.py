"""What lists of layers are made of: a layer with arrays, and lists that run in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.layers.lazy import LazyLayer
from cnnfast.ops import Array, Op


@frozen
class Layer:
    """One op with its parameters by name, as arrays."""

    op: Op
    parameters: dict[str, Array]
    name: str | None = None


Sides = int | tuple[int, int] | tuple[int, int, int, int]
"""Padding: the same on all sides, (vertical, horizontal), or (top, left, bottom, right)."""


def layer_of(kind: type[Op], name: str | None, *attributes: Any) -> Layer:
    """Return a layer of an op without parameters, from its attributes.

    Raises
    ------
    GraphError
        If an attribute has a wrong type or is out of range.

    Examples
    --------
    >>> from cnnfast import ops
    >>> layer_of(ops.Clip, None, 0.0, 1.0).op
    Clip(low=0.0, high=1.0)
    """
    return Layer(kind(*attributes), {}, name)


@frozen
class Residual:
    """The sum of a chain of layers and a shortcut around it; an empty shortcut is the input itself.

    Examples
    --------
    >>> from cnnfast.layers import Relu
    >>> Residual([Relu()]).shortcut
    ()
    """

    body: Sequence[AnyLayer]
    shortcut: Sequence[AnyLayer] = ()
    name: str | None = None


@frozen
class Gate:
    """The input times the result of a chain of layers: squeeze-and-excitation.

    Examples
    --------
    >>> from cnnfast.layers import GlobalAvgPool, Sigmoid
    >>> gate = Gate([GlobalAvgPool(), Sigmoid()])
    """

    body: Sequence[AnyLayer]
    name: str | None = None


@frozen
class Branches:
    """Several chains of layers on one input, their results joined along the channels.

    Examples
    --------
    >>> from cnnfast.layers import MaxPool, Relu
    >>> inception = Branches([[Relu()], [MaxPool(3, stride=1, padding=1)]])
    """

    branches: Sequence[Sequence[AnyLayer]]
    name: str | None = None


AnyLayer = Layer | LazyLayer | Residual | Gate | Branches
