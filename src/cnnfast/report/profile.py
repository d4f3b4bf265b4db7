"""The profile of a network: where the time of an image goes, node by node."""

from __future__ import annotations

import math
import time

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.plan import Plan

ROUNDS = 20


@frozen
class Line:
    """One node, or the loading or storing of images.

    Attributes
    ----------
    node : str
    kernels : tuple of str
        Of its steps, each once.
    shape : tuple of int
        Of its result, for one image.
    seconds : float
        For one image, one thread, the least of many runs.
    flops : int
        For one image, where every convolution is counted as a direct one.
    in_integers : bool
        Whether it computes with bytes.
    """

    node: str
    kernels: tuple[str, ...]
    shape: tuple[int, ...]
    seconds: float
    flops: int
    in_integers: bool = False


def profile(plan: Plan, images: Array, pixels: tuple[Array, Array] | None, seconds: float) -> list[Line]:
    """Time each step of a plan over one group of images for ``seconds``, and sum the steps of each node.

    Parameters
    ----------
    plan : Plan
        Of a graph with one input and one output.
    images : array (N, C, H, W)
        Bytes or float32; the first group is used.
    pixels : (factor, shift) or None
        What turns bytes into values.
    seconds : float
    """
    ((source, shape),), (output,) = plan.graph.inputs.items(), plan.graph.outputs
    group = images[: plan.group]
    result = np.empty((len(group), math.prod(plan.shapes[output])), np.float32)
    best = np.full(len(plan.steps) + 2, np.inf)
    start = time.perf_counter()
    while True:
        best = np.minimum(best, plan.program.profile([group], [result], ROUNDS, pixels))
        if time.perf_counter() - start > seconds:
            break
    load, *steps, store = (float(t) / len(group) for t in best)
    return [
        Line(source, ("load",), shape, load, 0),
        *_by_node(plan, steps),
        Line(output, ("store",), plan.shapes[output], store, 0),
    ]


def _by_node(plan: Plan, times: list[float]) -> list[Line]:
    nodes: dict[str, tuple[list[str], list[float]]] = {}
    for step, seconds in zip(plan.steps, times, strict=True):
        kernels, parts = nodes.setdefault(step.node, ([], []))
        kernels.append(step.kernel)
        parts.append(seconds)
    return [
        Line(name, tuple(dict.fromkeys(kernels)), plan.shapes[name], sum(parts), *_work(plan, name))
        for name, (kernels, parts) in nodes.items()
    ]


def _work(plan: Plan, name: str) -> tuple[int, bool]:
    """Return the operations of a node, and whether they are of integers."""
    node = plan.graph.by_name.get(name)
    return (plan.graph.cost(node).flops, node.op.is_quantized) if node is not None else (0, False)
