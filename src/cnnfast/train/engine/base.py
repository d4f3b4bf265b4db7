"""The interface between a trainer and an engine.

An engine holds the parameters of a network and computes, for one batch, the loss and its gradients:

    engine = make_engine(net.graph, SoftmaxCrossEntropy(), batch=128)
    loss, scores = engine.step(x, labels, step_number)
    for name in engine.trainable:
        engine.parameters[name] -= rate * engine.gradients[name]

- ``parameters[name]`` are float32 arrays, writable, one for each constant of the graph. An optimizer changes them in
  place between steps, never replaces them. An engine changes only the running averages of batch-norm.
- ``gradients[name]`` are float32 arrays, one for each name in ``trainable``: the derivative of the mean loss over
  the images of the batch. Each step overwrites the same arrays.
- ``step`` takes up to ``batch`` images; the last batch of an epoch may be smaller.
- Nothing is computed below the lowest trainable parameter. A batch-norm of which neither scale nor shift is trained
  uses its running averages and leaves them alone.
- If the network ends in the softmax or sigmoid that belongs to the loss, ``scores`` are the values before it.
- Results depend on graph, parameters, batch, seed and step number only, not on the number of threads.

`ReferenceEngine` computes in NumPy, slowly, and is taken as the truth. `make_engine`, in `chwn`, returns the fastest.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np

from cnnfast.errors import ConfigError, GraphError, InputError, UnsupportedError
from cnnfast.graph import Graph
from cnnfast.graph.passes import drop_unused
from cnnfast.ops import Array, BatchNorm
from cnnfast.ops.gradients import has_gradient
from cnnfast.runtime.mapped import check_not_rewritten
from cnnfast.train.losses import Loss

Pixels = tuple[Array, Array]


class Engine:
    """What all engines share: the network up to its scores, its parameters, and which of them are trained.

    Parameters
    ----------
    graph : Graph
        One input and one output.
    loss : Loss
    batch : int
        The largest number of images in a step.
    trainable : iterable of str, optional
        Names of constants; by default all that an op calls its parameters, except the statistics of batch-norm.
    momentum : float
        The share of each batch in the running averages of batch-norm.
    seed : int
        Decides, with the step number, what dropout drops.
    pixels : (factor, shift), each float32 (C,), optional
        What turns the bytes of uint8 images into values.

    Raises
    ------
    ConfigError
        If ``batch`` or ``momentum`` is out of range, or nothing is left to train.
    GraphError
        If the graph has several inputs or outputs, its scores do not have the shape (K,), or a name is not that of a
        parameter.
    UnsupportedError
        If a node between a trained parameter and the scores has no gradient; all such nodes are listed.
    """

    def __init__(
        self,
        graph: Graph,
        loss: Loss,
        batch: int,
        *,
        trainable: Iterable[str] | None = None,
        momentum: float = 0.1,
        seed: int = 0,
        pixels: Pixels | None = None,
    ) -> None:
        if batch < 1:
            raise ConfigError(f"batch must be at least 1, but is {batch}")
        if not 0 <= momentum <= 1:
            raise ConfigError(f"momentum of the running averages must be from 0 to 1, but is {momentum}")
        self.whole = graph
        self.graph = scores_graph(graph, loss)
        self.loss, self.batch, self.momentum, self.seed, self.pixels = loss, batch, momentum, seed, pixels
        self.parameters = {name: np.array(array, np.float32, order="C") for name, array in graph.constants.items()}
        check_not_rewritten(graph.constants.values())
        known = trainable_names(self.graph)
        wanted = known if trainable is None else tuple(trainable)
        if unknown := [name for name in wanted if name not in known]:
            raise GraphError(f"{unknown[0]!r} is not a parameter that can be trained; those are: {', '.join(known)}")
        self.trainable = tuple(name for name in known if name in set(wanted))
        if not self.trainable:
            raise ConfigError("nothing is left to train: all parameters are frozen")
        self.gradients = {name: np.zeros_like(self.parameters[name]) for name in self.trainable}
        self.active = active_values(self.graph, self.trainable)
        _check_gradients(self.graph, self.active)

    @property
    def classes(self) -> int:
        """The number of scores, K."""
        return self.graph.shapes[self.graph.outputs[0]][0]

    def step(self, x: Array, targets: Array, step_number: int) -> tuple[float, Array]:
        """Compute the loss of a batch and fill `gradients`.

        Parameters
        ----------
        x : array (N, C, H, W), float32 or, with ``pixels``, uint8
            Any strides; at most ``batch`` images.
        targets : array (N,) of int, or (N, K) of float
            What ``loss.targets`` takes.
        step_number : int

        Returns
        -------
        loss : float
            The mean over the images.
        scores : array (N, K), float32

        Raises
        ------
        InputError
            If images or targets do not fit.
        """
        return self._step(x, self._checked(x, targets), step_number)

    def _checked(self, x: Array, targets: Array) -> Array:
        """Return the targets as the loss takes them, if images and targets fit."""
        (name,) = self.graph.inputs
        shape = self.graph.shapes[name]
        if x.ndim != len(shape) + 1 or x.shape[1:] != shape or not 1 <= len(x) <= self.batch:
            raise InputError(f"a step takes 1 to {self.batch} images of shape {shape}, but was given {x.shape}")
        if x.dtype != np.float32 and (x.dtype != np.uint8 or self.pixels is None):
            raise InputError(f"a step takes float32 images{'' if self.pixels is None else ' or uint8'}, not {x.dtype}")
        wanted = self.loss.targets(targets, self.classes)
        if len(wanted) != len(x):
            raise InputError(f"there are {len(x)} images but {len(wanted)} targets")
        return wanted

    def _step(self, x: Array, targets: Array, step_number: int) -> tuple[float, Array]:
        raise NotImplementedError

    def trained_graph(self) -> Graph:
        """Return the whole graph with the parameters as they are now."""
        constants = {name: array.copy() for name, array in self.parameters.items()}
        return Graph(self.whole.inputs, self.whole.nodes, constants, self.whole.outputs)

    def trains_statistics(self, node: str) -> bool:
        """Return whether a batch-norm uses the statistics of the batch: if its scale or shift is trained."""
        return any(v in self.gradients for v in self.graph.by_name[node].inputs[1:3])


def scores_graph(graph: Graph, loss: Loss) -> Graph:
    """Return the graph up to its scores: without a last op that the loss computes itself.

    Raises
    ------
    GraphError
        If the graph has several inputs or outputs, or its scores do not have the shape (K,).
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise GraphError(
            f"only a network with one input and one output is trained; this one has {len(graph.inputs)} and "
            f"{len(graph.outputs)}"
        )
    (output,) = graph.outputs
    last = graph.by_name.get(output)
    if last is not None and isinstance(last.op, loss.fuses) and last.inputs[0] in graph.by_name:
        output = last.inputs[0]
    if len(graph.shapes[output]) != 1:
        raise GraphError(f"{loss.name} needs scores of shape (K,), but the network returns {graph.shapes[output]}")
    return drop_unused(graph.cut([output]))


def trainable_names(graph: Graph) -> tuple[str, ...]:
    """Return the constants that can be trained, in the order in which the nodes read them.

    Examples
    --------
    >>> from cnnfast.layers import Flatten, Linear, build_graph
    >>> trainable_names(build_graph([Flatten(), Linear(np.zeros((2, 12)), np.zeros(2))], (3, 2, 2)))
    ('linear_1.weight', 'linear_1.bias')
    """
    names: dict[str, None] = {}
    for node in graph.nodes:
        for index, value in enumerate(node.inputs):
            statistic = isinstance(node.op, BatchNorm) and index > 2
            if not node.op.is_data_input(index) and not statistic:
                names[value] = None
    return tuple(names)


def all_but(graph: Graph, loss: Loss, frozen: Iterable[str]) -> tuple[str, ...]:
    """Return the parameters below the scores that are trained if some are frozen; ``*`` matches any characters.

    Raises
    ------
    ConfigError
        If a name matches neither a layer nor a parameter.

    Examples
    --------
    >>> from cnnfast.layers import Flatten, Linear, build_graph
    >>> from cnnfast.train.losses import SoftmaxCrossEntropy
    >>> graph = build_graph([Flatten(), Linear(np.zeros((2, 12)), np.zeros(2))], (3, 2, 2))
    >>> all_but(graph, SoftmaxCrossEntropy(), ["*.weight"])
    ('linear_1.bias',)
    """
    known = trainable_names(scores_graph(graph, loss))
    gone: set[str] = set()
    for pattern in frozen:
        found = [name for name in known if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
        if not found:
            raise ConfigError(f"{pattern!r} is to be frozen, but it matches no trained layer or parameter")
        gone.update(found)
    return tuple(name for name in known if name not in gone)


def active_values(graph: Graph, trainable: Iterable[str]) -> frozenset[str]:
    """Return the values that depend on a trained parameter: those that a gradient passes through."""
    active = set(trainable)
    for node in graph.nodes:
        if active & set(node.inputs):
            active.add(node.name)
    return frozenset(active)


def _check_gradients(graph: Graph, active: frozenset[str]) -> None:
    problems = [f"{n.name} ({n.op.name})" for n in graph.nodes if n.name in active and not has_gradient(n.op)]
    if problems:
        advice = ""
        if graph.is_quantized:
            advice = (
                "\nthe network computes with integers: train the one of floats (a quantized file: "
                "Network.load(path, integers=False)), or freeze all that does"
            )
        raise UnsupportedError(
            "these nodes have no gradient, so nothing before them can be trained:\n  " + "\n  ".join(problems) + advice
        )
