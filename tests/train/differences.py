"""The float32 gradient of one op as the fast engine computes it, against central differences of its float64 reference.

The values of one image are biases of a dense layer with zero weights, so the engine's gradients of those biases are the
gradients of the op's inputs. Behind the op a fixed dense layer makes one score, ``s = sum(r * y)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from cases import CASES, Case

from cnnfast.graph import Graph, Node, constant
from cnnfast.ops import Array, BatchNorm, Dropout, Flatten, Linear, Pad, Reshape, Shape
from cnnfast.ops.gradients import batch_norm_training, dropout_keys, dropout_mask, has_gradient
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.losses import Loss, MeanSquaredError

STEP = 1e-5
MOST = 1500
"""Cases with more numbers than this are left out: they differ in size only, and each number costs two evaluations."""

BY_WINOGRAD = ("conv2d-twenty", "conv2d-cs61c-3")
"""Cases that are let in because no small convolution has its gradients computed by Winograd; they take seconds."""


def checked_cases() -> list[Case]:
    """Return the cases whose gradients are compared."""
    return [case for case in CASES if has_gradient(case.op) and _is_checked(case)]


def _is_checked(case: Case) -> bool:
    if isinstance(case.op, Pad) and case.op.mode != "constant":
        return False  # no network that is trained has another one
    if isinstance(case.op, BatchNorm) and len(case.inputs[0]) == 1:
        return False  # features of a single image are their own mean: nothing passes back
    return _numbers(case) <= MOST or case.id in BY_WINOGRAD


def _numbers(case: Case) -> int:
    return sum(math.prod(shape) for shape in (*case.inputs, *case.parameters, case.output_shape))


def errors_of_case(case: Case) -> dict[str, float]:
    """Return, for each input and parameter, how far its gradient is off, measured by the largest element."""
    inputs, parameters = case.arrays(images=1)
    names = [f"x{i}" for i in range(len(inputs))]
    names += [p.rstrip("?") for p in case.op.parameters[: len(parameters)]]
    arrays = [array.astype(np.float64) for array in [*inputs, *parameters]]
    function: Callable[..., Array] = case.op.reference
    if isinstance(case.op, BatchNorm):
        op = case.op
        names, arrays = names[:3], arrays[:3]
        function = lambda *a: batch_norm_training(op, *a)[0]  # noqa: E731
    elif isinstance(case.op, Dropout):
        mask = dropout_mask(dropout_keys(0, 0, 0, 1), case.inputs[0], case.op.rate).astype(np.float64)
        function = lambda x: x * mask  # noqa: E731
    weights = np.random.default_rng(3).standard_normal(case.output_shape)
    found = _by_engine(case, weights)
    trained = [i for i in range(len(arrays)) if i not in case.fixed]
    return {names[i]: _off(found[names[i]], _difference(function, arrays, i, weights)) for i in trained}


def _off(found: Array, expected: Array) -> float:
    return float(np.abs(found.reshape(expected.shape) - expected).max() / max(np.abs(expected).max(), 1e-30))


def _difference(function: Callable[..., Array], arrays: Sequence[Array], index: int, weights: Array) -> Array:
    """Return the central differences of ``sum(weights * function)`` for each element of one array."""
    result = np.empty(arrays[index].shape)
    for place in np.ndindex(result.shape):
        ends = []
        for sign in (1, -1):
            moved = arrays[index].copy()
            moved[place] += sign * STEP
            ends.append(float((weights * function(*arrays[:index], moved, *arrays[index + 1 :])).sum()))
        result[place] = (ends[0] - ends[1]) / (2 * STEP)
    return result


def _by_engine(case: Case, weights: Array) -> dict[str, Array]:
    inputs, parameters = case.arrays(images=1)
    nodes: list[Node] = []
    constants: dict[str, Array] = {}
    for i, (shape, value) in enumerate(zip(case.inputs, inputs, strict=True)):
        if i in case.fixed:
            constants[f"v{i}"] = constant(value[0])
        else:
            nodes += as_bias(f"x{i}", f"v{i}", shape, value, constants)
    names = [p.rstrip("?") for p in case.op.parameters[: len(parameters)]]
    constants |= {name: constant(array) for name, array in zip(names, parameters, strict=True)}
    nodes.append(Node("y", case.op, (*(f"v{i}" for i in range(len(inputs))), *names)))
    nodes += [Node("flat", Flatten(), ("y",)), Node("score", Linear(), ("flat", "r"))]
    constants["r"] = constant(weights.reshape(1, -1))
    graph = Graph({"one": (1,)}, tuple(nodes), constants, ("score",))
    engine = ChwnEngine(graph, MeanSquaredError(), 1, threads=1, seed=0)
    zero = np.zeros((1, 1), np.float32)
    _, score = engine.step(zero, zero, 0)
    # the loss is (s - t)^2 with t = s - 1/2, so its derivative is 1 but for rounding
    _, again = engine.step(zero, score - np.float32(0.5), 0)
    slope = 2 * (float(again[0, 0]) - float(score[0, 0] - np.float32(0.5)))
    return {name.removesuffix(".bias"): grad / slope for name, grad in engine.gradients.items()}


def as_bias(name: str, value: str, shape: Shape, array: Array, constants: dict[str, Array]) -> list[Node]:
    """Return the nodes that make a value out of nothing but a bias."""
    constants[f"{name}.weight"] = constant(np.zeros((array.size, 1)))
    constants[f"{name}.bias"] = constant(array.reshape(-1))
    dense = Node(f"{name}.dense", Linear(), ("one", f"{name}.weight", f"{name}.bias"))
    return [dense, Node(value, Reshape(shape), (dense.name,))]


def error_of_loss(loss: Loss) -> float:
    """Return the same for the gradient of a loss with respect to the scores."""
    rng = np.random.default_rng(0)
    scores, targets = rng.standard_normal((1, 7)) * 2, rng.dirichlet(np.ones(7), 1)
    constants: dict[str, Array] = {}
    nodes = as_bias("x0", "scores", (7,), scores.astype(np.float32), constants)
    engine = ChwnEngine(Graph({"one": (1,)}, tuple(nodes), constants, ("scores",)), loss, 1, threads=1)
    engine.step(np.zeros((1, 1), np.float32), targets.astype(np.float32), 0)
    wanted = loss.targets(targets.astype(np.float32), 7).astype(np.float64)
    start = scores.astype(np.float32).astype(np.float64)
    expected = _difference(lambda s: loss.value(s, wanted), [start], 0, np.ones(1))
    return _off(engine.gradients["x0.bias"], expected)


def kinds() -> dict[str, list[Case]]:
    """Return the cases by the name of their op."""
    found: dict[str, list[Case]] = {}
    for case in checked_cases():
        found.setdefault(case.op.name, []).append(case)
    return found
