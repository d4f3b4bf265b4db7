"""In which order Keras has the elements that a network holds in the order C, H, W."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cnnfast._frozen import frozen
from cnnfast.formats.error_context import error_context
from cnnfast.ops import Array, Shape


@frozen
class Order:
    """Where the file of Keras and the network that is read from it have the same elements in different places.

    Attributes
    ----------
    channels_last : bool
        Whether Keras has images as (N, H, W, C).
    rows : mapping of str to (C, H, W)
        The layers whose rows are flattened images: Keras has them in the order H, W, C.
    as_in_file : frozenset of str
        Layers whose results have three axes in the order of Keras, although images have not.
    """

    channels_last: bool
    rows: Mapping[str, Shape]
    as_in_file: frozenset[str] = frozenset()

    def in_network(self, layer: str, values: Array) -> Array:
        """Return what Keras computed, images along axis 0, as the network has it.

        Examples
        --------
        >>> import numpy as np
        >>> Order(True, {"flatten": (2, 1, 2)}).in_network("flatten", np.array([[0, 1, 2, 3]]))
        array([[0, 2, 1, 3]])
        """
        if values.ndim == 4 and self.channels_last and layer not in self.as_in_file:
            return values.transpose(0, 3, 1, 2)
        if layer in self.rows and values.ndim == 2:
            c, h, w = self.rows[layer]
            return values.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(len(values), -1)
        return values


def order_of(path: Path, input_shape: Shape) -> Order:
    """Return the order in which a file of Keras has what the network that is read from it has.

    Raises
    ------
    CnnfastError
        If it cannot be read.
    """
    from cnnfast.formats.keras.archive import read_archive
    from cnnfast.formats.keras.network import graph_and_images

    with error_context(path):
        archive = read_archive(path)
        stated = input_shape if len(input_shape) == 3 else None
        _, images = graph_and_images(archive, stated)
    return Order(images.channels_last, images.rows, images.as_in_file)
