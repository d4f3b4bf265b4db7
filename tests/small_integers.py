"""A small network of integers with an op of every kind that files hold: for formats, planning and fuzzing."""

from __future__ import annotations

import numpy as np

from cnnfast import ops
from cnnfast.formats import Model
from cnnfast.graph import Graph, Node, constant, evaluate, optimize
from cnnfast.graph.integers import FLOAT_PASSES, grid_of_range, to_integers
from cnnfast.images.preprocess import Preprocess


def float_graph(seed: int = 0) -> Graph:
    """Return the floats of which the integers are made: residual, gate, branches, pools, tables, a dense layer."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return constant(rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])))

    nodes = (
        Node("stem", ops.Conv2d(padding=1), ("x", "stem.w", "stem.b")),
        Node("gelu", ops.Gelu(), ("stem",)),
        Node("depth", ops.Conv2d(padding=1, groups=6), ("gelu", "depth.w")),
        Node("sum", ops.Add(), ("depth", "gelu")),
        Node("relu", ops.Relu(), ("sum",)),
        Node("mean", ops.GlobalAvgPool(), ("relu",)),
        Node("squeeze", ops.Conv2d(), ("mean", "squeeze.w")),
        Node("gate", ops.Sigmoid(), ("squeeze",)),
        Node("gated", ops.Mul(), ("relu", "gate")),
        Node("more", ops.Add(), ("gated", "gelu")),
        Node("both", ops.Concat(), ("gated", "more")),
        Node("pool", ops.AvgPool(3, stride=2, padding=1), ("both",)),
        Node("narrow", ops.Conv2d(), ("pool", "narrow.w")),
        Node("half", ops.MaxPool(2), ("narrow",)),
        Node("flat", ops.Flatten(), ("half",)),
        Node("fc", ops.Linear(), ("flat", "fc.w", "fc.b")),
        Node("y", ops.Softmax(), ("fc",)),
    )
    constants = {
        "stem.w": weights(6, 3, 3, 3),
        "stem.b": weights(6),
        "depth.w": weights(6, 1, 3, 3),
        "squeeze.w": weights(6, 6, 1, 1),
        "narrow.w": weights(4, 12, 1, 1),
        "fc.w": weights(5, 16),
        "fc.b": weights(5),
    }
    return Graph({"x": (3, 8, 8)}, nodes, constants, ("y",))


def integer_graph(seed: int = 0) -> Graph:
    """Return the same network on bytes."""
    graph = optimize(float_graph(seed), FLOAT_PASSES)
    values = evaluate(graph, np.random.default_rng(seed).normal(size=(16, 3, 8, 8)))
    grids = {name: grid_of_range(value.min(), value.max()) for name, value in values.items()}
    return to_integers(graph, grids).graph


def integer_model(seed: int = 0) -> Model:
    """Return it with preprocessing and labels."""
    rule = Preprocess(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    return Model(integer_graph(seed), rule, tuple("abcde"), "CC0-1.0", {"source": "a test"})
