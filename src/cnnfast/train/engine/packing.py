"""How the parameters of a layer become what its kernel reads, in every step of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, BatchNorm, Shape
from cnnfast.plan.winograd import transforms
from cnnfast.runtime.dispatch import kernels

SHARED = 1 << 13
"""Weights from this size on are packed by all threads."""


MAX_ELEMENTS = (1 << 31) - 1
"""An index is int32."""


def element_numbers(name: str, shape: Shape) -> Array:
    """Return the numbers of the elements of a parameter, in its shape, int32.

    Raises
    ------
    UnsupportedError
        If there are more than int32 can number.

    Examples
    --------
    >>> element_numbers("fc.weight", (2, 3))
    array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """
    size = math.prod(shape)
    if size > MAX_ELEMENTS:
        raise UnsupportedError(
            f"{name} has {size} elements, but a parameter that is trained may have {MAX_ELEMENTS} at most; "
            f"freeze it, or train the network with fewer"
        )
    return np.arange(size, dtype=np.int32).reshape(shape)


def transposed(weight: Array, groups: int) -> Array:
    """Return the weights of the layer that passes gradients back: channels exchanged, kernels turned by 180 degrees.

    Examples
    --------
    >>> transposed(np.arange(6).reshape(2, 1, 1, 3), groups=1).tolist()
    [[[[2, 1, 0]], [[5, 4, 3]]]]
    """
    if weight.ndim == 2:
        return weight.T
    oc, c, kh, kw = weight.shape
    turned = weight.reshape(groups, oc // groups, c, kh, kw)[..., ::-1, ::-1]
    return turned.swapaxes(1, 2).reshape(groups * c, oc // groups, kh, kw)


def transposed_shape(shape: Shape, groups: int) -> Shape:
    """Return the shape of `transposed` weights."""
    oc, c, *kernel = shape
    return (groups * c, oc // groups, *kernel)


class Packer(Protocol):
    """Fills memory that a step reads from the parameters of the network."""

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""


@frozen
class GatheredWeights:
    """Elements in another order: ``index``, int32, has the source of each."""

    name: str
    index: Array
    target: Array

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""
        kernels.gather(parameters[self.name].reshape(-1), self.index, self.target)


@frozen
class BatchNormFactors:
    """Batch-norm with its running averages, as a factor and a shift for each channel."""

    op: BatchNorm
    names: tuple[str, ...]
    factor: Array
    shift: Array

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""
        values = self.op.factors(*(parameters[name].astype(np.float64) for name in self.names))
        self.factor[...], self.shift[...] = values


@frozen
class WinogradWeights:
    """Weights (OC, C, K, K), transformed, in the order of `cnnfast.plan.pack.pack_winograd`.

    ``index``, of that shape, has the element of the parameter that each of them is.
    """

    name: str
    index: Array
    target: Array
    max_channels: int
    g: Array

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""
        oc, c, k, _ = self.index.shape
        source = parameters[self.name].reshape(-1)
        threads = threads if self.index.size >= SHARED else 1
        kernels.pack_winograd(source, self.index.reshape(-1), self.g, self.target, oc, c, k, self.max_channels, threads)


def spreading(kernel: int) -> Array:
    """Return G of Winograd's weight transform, row by row, float32."""
    return np.ascontiguousarray(transforms(kernel)[1].reshape(-1), np.float32)
