"""Prints a digest of what the kernels make of every case and every shipped network, to compare two machines.

Usage: ``PYTHONPATH=src:tests python tools/case_bits.py``. A line holds the name, a digest of inputs and weights, and
one of the results: where the first digests differ, the machines drew other random numbers, and the second say nothing.
Cases of integers run twice: with images and, those that end in ``-few``, with channels in the lanes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from cases import CASES
from integer_cases import INTEGER_CASES
from kernels.engines import execute
from kernels.test_networks import NETWORKS
from random_graphs import random_inputs
from small_graphs import net

from cnnfast import Network, list_models
from cnnfast.graph import Graph
from cnnfast.ops import Relu
from cnnfast.plan import make_plan

IMAGES = 2 * 16 + 3

Pixels = tuple[np.ndarray, np.ndarray] | None


def runs() -> Iterator[tuple[str, Graph, str, list[np.ndarray], Pixels]]:
    """Yield (name, graph, layout, inputs, what turns bytes into values)."""
    for case in CASES:
        yield case.id, case.graph(), "chwn", list(case.feed(images=IMAGES).values()), None
    for integers in INTEGER_CASES:
        for layout, suffix in (("chwn", ""), ("nchwc", "-few")):
            feed = list(integers.feed(images=IMAGES).values())
            yield f"int8-{integers.id}{suffix}", integers.graph(), layout, feed, None
    for name, make in NETWORKS.items():
        graph = make()
        yield name, graph, "chwn", list(random_inputs(graph, np.random.default_rng(0), IMAGES).values()), None
    for c, h, w in ((3, 5, 33), (3, 2, 16), (1, 4, 17)):
        pictures = np.random.default_rng(0).integers(0, 256, (IMAGES, h, w, c), np.uint8).transpose(0, 3, 1, 2)
        pixels = np.linspace(0.001, 0.5, c, dtype=np.float32), np.linspace(-9, 0.1, c, dtype=np.float32)
        yield f"pictures-{c}x{h}x{w}", net(("y", Relu(), "x"), x=(c, h, w)), "chwn", [pictures], pixels


def classified() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (name, pictures, probabilities) of the shipped networks."""
    for name in list_models():
        network = Network.load(name)
        channels, height, width = network.preprocess.shape
        pictures = np.random.default_rng(0).integers(0, 256, (IMAGES, height, width, channels), np.uint8)
        yield name, pictures, network.predict_proba(pictures)


def digest(arrays: list[np.ndarray]) -> str:
    """Return a hash of the bytes of arrays, where every NaN counts as the same."""
    total = hashlib.sha256()
    for array in arrays:
        values = array.copy()
        if values.dtype.kind == "f":
            values[np.isnan(values)] = np.nan
        total.update(values.tobytes())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    for name, graph, layout, feed, pixels in runs():
        results = execute(make_plan(graph, layout), feed, 1, pixels)
        print(name, digest([*feed, *graph.constants.values()]), digest(results))
    for name, pictures, probabilities in classified():
        print(name, digest([pictures]), digest([probabilities]))
