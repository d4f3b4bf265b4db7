"""Ops that do nothing when a network predicts; a pass removes them."""

from __future__ import annotations

from typing import ClassVar

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Cost, Op, Shape, register


class _Nothing(Op):
    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def reference(self, *inputs: Array) -> Array:
        return inputs[0]

    def cost(self, *inputs: Shape) -> Cost:
        return Cost()


@register
@frozen
class Identity(_Nothing):
    """Return the input.

    Examples
    --------
    >>> Identity().shape((3, 8, 8))
    (3, 8, 8)
    """

    name: ClassVar[str] = "identity"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True


@register
@frozen
class Dropout(_Nothing):
    """Return the input: elements are dropped with probability ``rate`` in training only.

    Raises
    ------
    GraphError
        If the rate is not from 0 up to, but not, 1.

    Examples
    --------
    >>> Dropout(0.5).shape((500,))
    (500,)
    """

    name: ClassVar[str] = "dropout"
    selects: ClassVar[bool] = True
    keeps_dtype: ClassVar[bool] = True

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise GraphError(f"rate of dropout must be at least 0 and below 1, but is {self.rate}")
