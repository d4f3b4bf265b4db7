"""A graph under construction in which every layer reads the one before it."""

from __future__ import annotations

import numpy as np

from cnnfast.graph import Graph, GraphBuilder
from cnnfast.ops import Array, Flatten, Op, Shape


class LayerChain:
    """Collects layers one after the other; `graph` returns the finished graph.

    Parameters
    ----------
    shape : Shape
        Of the input, one image.
    name : str
        Of the input.

    Examples
    --------
    >>> from cnnfast.ops import MaxPool
    >>> chain = LayerChain((3, 32, 32), "layer0")
    >>> chain.add("layer1", MaxPool(2))
    >>> chain.shape
    (3, 16, 16)
    """

    def __init__(self, shape: Shape, name: str) -> None:
        self._builder = GraphBuilder()
        self._last = self._builder.input(name, shape)

    @property
    def shape(self) -> Shape:
        """The shape of the last value, of one image."""
        return self._builder.shapes[self._last]

    def add(self, name: str, op: Op, **parameters: Array) -> None:
        """Append a layer; each parameter becomes the constant ``<layer>.<parameter>``.

        Raises
        ------
        GraphError
            If the layer does not fit the one before it.
        """
        self._last = self._builder.add(name, op, self._last, parameters=parameters)

    def flatten(self, name: str) -> None:
        """Append a flatten unless the value is flat already."""
        if len(self.shape) > 1:
            self.add(name, Flatten())

    def graph(self) -> Graph:
        """Return the graph; its output is the last layer."""
        return self._builder.finish(self._last)


def columns_to_chw(weight: Array, shape: Shape) -> Array:
    """Reorder the columns of a dense layer from the order H, W, C of its input volume to C, H, W.

    Examples
    --------
    >>> columns_to_chw(np.arange(4)[None], (2, 1, 2))
    array([[0, 2, 1, 3]])
    """
    if len(shape) == 1:
        return weight
    c, h, w = shape
    return np.ascontiguousarray(weight.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(-1, c * h * w))
