"""What can be run layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from cnnfast.graph.integers import with_float_outputs
from cnnfast.network.network import Network
from cnnfast.ops import Array, Shape
from cnnfast.plan import make_plan
from cnnfast.plan.plan import as_chw

MAX_OUTPUTS = 8
"""A program of the kernels gives no more at once."""


BOUND = 1e-4
"""The largest difference that passes, as a part of the largest element: sums in another order, not another network."""


class Backend(Protocol):
    """One of the two that are compared."""

    title: str
    output: str
    """The last layer."""
    layers: Mapping[str, tuple[str, Shape]]
    """What each layer is and the shape of its result for one image, in the order in which they run."""
    bound: float = BOUND
    """What passes when the other side is exact."""
    note: str = ""
    """Why it differs from exact numbers by more than sums in another order do."""

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Return the results of layers, images along axis 0, for float32 images (N, C, H, W) or (N, F)."""
        ...


class NetworkBackend(Backend):
    """A network of cnnfast, run by its kernels: the output as ever, and what is fused is taken apart for the layers.

    Bytes and sums are compared as the numbers that they stand for.
    """

    def __init__(self, net: Network, title: str) -> None:
        self.title = title
        self._net = net
        graph = net.graph
        self.layers = {node.name: (node.op.name, graph.shapes[node.name]) for node in graph.nodes}
        (self.output,) = graph.outputs

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Compute layers."""
        names = [name for name in dict.fromkeys(wanted) if name != self.output]
        results = {self.output: self._net.forward(images, layout="nchw" if images.ndim == 4 else None)}
        for first in range(0, len(names), MAX_OUTPUTS):
            results |= self._computed(images, names[first : first + MAX_OUTPUTS])
        return results

    def _computed(self, images: Array, names: list[str]) -> dict[str, Array]:
        plan = make_plan(with_float_outputs(self._net.graph.cut(names), self._net.graph))
        arrays = [np.empty((len(images), math.prod(self.layers[name][1])), np.float32) for name in names]
        shaped = np.ascontiguousarray(images.reshape(len(images), *as_chw(self._net.input_shape)))
        plan.program.run([shaped], arrays, 1, None)
        return {n: a.reshape(len(images), *self.layers[n][1]) for n, a in zip(names, arrays, strict=True)}
