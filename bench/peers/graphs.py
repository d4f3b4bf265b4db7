"""What every exporter starts from."""

from __future__ import annotations

import numpy as np
from networks import Bench

from cnnfast.graph import Graph, passes
from cnnfast.graph.answers import with_probabilities


def exported_graph(bench: Bench) -> Graph:
    """Return a network as a graph that ends in probabilities, with batch-norm folded into the convolutions.

    Every engine folds batch-norm itself, or would be glad to; what an engine fuses beyond that is its own affair.
    """
    graph = with_probabilities(bench.network().graph)
    for simplify in passes.PASSES:
        if simplify is not passes.fuse:
            graph = simplify(graph)
    constants = {name: array.astype(np.float32) for name, array in graph.constants.items()}
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)


class Normalize:
    """Turns pictures into an engine's float input with NumPy, into memory that is reused."""

    def __init__(self, bench: Bench, batch: int, layout: str = "nchw") -> None:
        c, h, w = bench.preprocess.shape
        self._axes = (0, 3, 1, 2) if layout == "nchw" else (0, 1, 2, 3)
        shape = (c, 1, 1) if layout == "nchw" else (c,)
        self._factor, self._shift = (values.reshape(shape) for values in bench.preprocess.affine())
        self._out = np.empty((batch, *((c, h, w) if layout == "nchw" else (h, w, c))), np.float32)

    def __call__(self, pictures: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        out = self._out if out is None else out
        np.multiply(pictures.transpose(self._axes), self._factor, out=out)
        out += self._shift
        return out
