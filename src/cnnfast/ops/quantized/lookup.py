"""Any function of a byte, as a table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.ops.base import Array, Shape
from cnnfast.ops.quantized.base import QuantizedOp, register_quantized
from cnnfast.ops.quantized.rounding import Grid


@register_quantized
@frozen
class Lookup(QuantizedOp):
    """Replace each byte by that of a table: ``y = table[x]``, or ``table[channel][x]``.

    Activations, batch-norm by itself, a change of scale, and constants added or multiplied by channel are all of this
    kind.

    Shapes: x (N, C, ...), table (256,) or (C, 256) of uint8, y as x.

    Parameters
    ----------
    scale, zero
        What the result stands for; the table holds it already.

    Raises
    ------
    GraphError
        If the table has another shape, or an attribute is out of range.

    Examples
    --------
    >>> inverted = np.arange(255, -1, -1, dtype=np.uint8)
    >>> Lookup(1.0, 0).reference(np.array([[0, 3]], np.uint8), inverted)
    array([[255, 252]], dtype=uint8)
    """

    name: ClassVar[str] = "lookup"
    parameters: ClassVar[tuple[str, ...]] = ("table",)
    reads: ClassVar[tuple[str, ...]] = ("uint8", "uint8")

    scale: float
    zero: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Grid(self.scale, self.zero).scale)

    def shape(self, *inputs: Shape) -> Shape:
        x, table = inputs
        if table not in ((256,), (x[0], 256)):
            raise GraphError(f"lookup on {x} needs a table of shape (256,) or ({x[0]}, 256), but it is {table}")
        return x

    def reference(self, *inputs: Array) -> Array:
        x, table = inputs
        channels = np.arange(x.shape[1]).reshape(-1, *(1,) * (x.ndim - 2))
        result: Array = table[x] if table.ndim == 1 else table[channels, x]
        return result
