"""What a node of ATen stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, Shape


@frozen
class TorchImages:
    """A value that is computed from the images.

    Attributes
    ----------
    name : str
        Of the value of the graph.
    shape : Shape
        Of one image.
    """

    name: str
    shape: Shape


@frozen
class Behind:
    """Images whose number is counted by another axis than the first, as PyTorch sees them: half a step of attention.

    Attributes
    ----------
    images : TorchImages
        Without the axis that counts them.
    at : int
        The index of that axis, from 1.
    """

    images: TorchImages
    at: int


@frozen(eq=False)
class TorchConstant:
    """A weight, a buffer, or what is computed from them.

    Attributes
    ----------
    tensor : torch.Tensor
    name : str or None
        Of the parameter or buffer, as the module calls it.
    """

    tensor: Any
    name: str | None = None

    @property
    def array(self) -> Array:
        """The numbers, float64 where the module has them."""
        array: Array = self.tensor.detach().numpy()
        return array if array.dtype == np.float64 else array.astype(np.float32)

    def of_one_image(self, rank: int) -> Array:
        """Return the numbers without the axis of the images, where there is one; ``rank`` counts those of one image.

        Raises
        ------
        UnsupportedError
            If the images of a batch have different numbers.
        """
        array = self.array
        if array.ndim <= rank:
            return array
        if array.ndim > rank + 1 or (array != array[:1]).any():
            raise UnsupportedError(f"a constant of shape {array.shape} has different numbers for the images of a batch")
        first: Array = array[0]
        return first

    @property
    def layer(self) -> str | None:
        """The part of the module that it belongs to."""
        return self.name.rpartition(".")[0] if self.name and "." in self.name else None
