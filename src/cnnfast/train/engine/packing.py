"""How the weights of a layer become what its kernel reads, in each step of training anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array, BatchNorm
from cnnfast.plan.winograd import transforms
from cnnfast.runtime.dispatch import kernels

SHARED = 1 << 16
"""Weights from this size on are packed by all threads."""


class Pack(Protocol):
    """Fills memory that a step reads from the parameters of the network."""

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""


@frozen
class Gather:
    """Elements in another order."""

    name: str
    index: Array
    target: Array

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""
        kernels.gather(parameters[self.name].reshape(-1), self.index.reshape(-1), self.target.reshape(-1))


@frozen
class Affine:
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
class Winograd:
    """Weights (OC, C, K, K), transformed, in the order of `cnnfast.plan.pack.pack_winograd`.

    ``index`` holds, in that shape, the numbers of the elements of the parameter.
    """

    name: str
    index: Array
    target: Array
    most: int
    g: Array

    @classmethod
    def of(cls, name: str, numbers: Array, target: Array, most: int) -> Winograd:
        """Make one from the numbers of the elements, (OC, C, K, K)."""
        return cls(name, np.ascontiguousarray(numbers, np.int32), target, most, spreading(numbers.shape[2]))

    def fill(self, parameters: Mapping[str, Array], threads: int) -> None:
        """Pack the parameters as they are now."""
        oc, c, k, _ = self.index.shape
        source = parameters[self.name].reshape(-1)
        threads = threads if self.index.size >= SHARED else 1
        kernels.pack_winograd(source, self.index.reshape(-1), self.g, self.target, oc, c, k, self.most, threads)


def spreading(kernel: int) -> Array:
    """Return G of Winograd's weight transform, row by row, float32."""
    return np.ascontiguousarray(transforms(kernel)[1].reshape(-1), np.float32)
