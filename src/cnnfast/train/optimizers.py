"""How weights follow their gradients: gradient descent, Adam, AdamW, Muon.

An optimizer is its settings; what it remembers of each weight is kept in arrays of the same shape, the slots, so that a
checkpoint can hold them. To add one, write such a class and list it in `OPTIMIZERS`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum
from typing import ClassVar, Protocol, cast

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.ops import Array
from cnnfast.runtime.arguments import quoted

BLOCK = 1 << 15
"""Elements updated at a time: a weight, its gradient and its slots stay in the cache from one operation to the next."""


def check_range(name: str, value: float, above: float | None = None, below: float | None = None) -> None:
    """Raise `ConfigError` unless ``value`` is a finite number: from 0 or above ``above``, and below ``below``."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    number = number and abs(value) <= sys.float_info.max
    if not number or (value < 0 if above is None else value <= above) or (below is not None and value >= below):
        low = "from 0" if above is None else f"above {above:g}"
        high = "" if below is None else f" and below {below:g}"
        raise ConfigError(f"{name} must be a number {low}{high}, but is {quoted(value)}")


class Role(Enum):
    """What a parameter does in its network; optimizers treat them differently."""

    HIDDEN = "weights of a layer"
    LAST = "weights of the layer that makes the scores"
    VECTOR = "a bias, or a factor of each channel"


@frozen
class Pace:
    """What a schedule sets for one step.

    Attributes
    ----------
    step : int
        The number of the step, from 1.
    rate : float
        Factor of the optimizer's rate.
    momentum : float, optional
        Instead of the optimizer's own momentum (the first beta of Adam).
    """

    step: int
    rate: float = 1.0
    momentum: float | None = None


class Optimizer(Protocol):
    """The settings of an optimizer, and its formula for one weight."""

    slots: ClassVar[tuple[str, ...]]

    @property
    def learning_rate(self) -> float:
        """The learning rate before the schedule's factor."""
        ...

    def part(self, role: Role) -> tuple[Optimizer, bool]:
        """Return what updates parameters of a role, and whether it lets them decay."""
        ...

    def update(self, weight: Array, gradient: Array, slots: Mapping[str, Array], pace: Pace, decays: bool) -> None:
        """Change a weight and its slots in place; all are float32 arrays of one shape.

        Parameters
        ----------
        weight, gradient : array
        slots : mapping of str to array
            Zeros before the first step.
        pace : Pace
        decays : bool
            Whether weight decay applies to this one.
        """
        ...


@frozen(kw_only=True)
class Companions:
    """Base of all optimizers: what the layer that makes the scores follows instead, and what biases and batch-norm do.

    They keep the schedule. Without their own optimizer, biases and batch-norm do not decay.

    Raises
    ------
    ConfigError
        For something else than SGD, Adam or AdamW, or one that has companions itself.
    """

    head_optimizer: SGD | Adam | None = None
    bias_optimizer: SGD | Adam | None = None

    def __post_init__(self) -> None:
        for name, value in (("head_optimizer", self.head_optimizer), ("bias_optimizer", self.bias_optimizer)):
            if value is None:
                continue
            if not isinstance(value, SGD | Adam):
                raise ConfigError(f"{name} must be SGD, Adam or AdamW, but is {quoted(value)}")
            if value.head_optimizer or value.bias_optimizer:
                raise ConfigError(f"{name} has an optimizer for the last layer or for biases itself: {quoted(value)}")

    def part(self, role: Role) -> tuple[Optimizer, bool]:
        """Return what parameters of a role follow, and whether it lets them decay."""
        other = {Role.HIDDEN: None, Role.LAST: self.head_optimizer, Role.VECTOR: self.bias_optimizer}[role]
        return (cast(Optimizer, self), role is not Role.VECTOR) if other is None else (other, True)


@frozen
class SGD(Companions):
    """Stochastic gradient descent: ``v = momentum v + g + decay w``, then ``w -= rate v``.

    With Nesterov's momentum, ``w -= rate (g + decay w + momentum v)``.

    Parameters
    ----------
    learning_rate : float
    momentum : float
        From 0, below 1. A schedule may move it, unless it is 0.
    nesterov : bool
    weight_decay : float
        Weight decay, as a part of the gradient.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Equals ``torch.optim.SGD`` without dampening.

    Examples
    --------
    >>> w = np.ones(1, np.float32)
    >>> slots = {"velocity": np.zeros(1, np.float32)}
    >>> SGD(learning_rate=0.5).update(w, np.ones(1, np.float32), slots, Pace(1), decays=False)
    >>> w
    array([0.5], dtype=float32)
    """

    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    learning_rate: float = 0.05
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("learning_rate", self.learning_rate, above=0)
        check_range("momentum", self.momentum, below=1)
        check_range("weight_decay", self.weight_decay)

    def update(self, weight: Array, gradient: Array, slots: Mapping[str, Array], pace: Pace, decays: bool) -> None:
        """Change a weight and its velocity in place."""
        momentum = np.float32(self.momentum if pace.momentum is None or not self.momentum else pace.momentum)
        rate, decay = np.float32(self.learning_rate * pace.rate), np.float32(self.weight_decay if decays else 0)
        for w, g, v in _blocks(weight, gradient, slots["velocity"]):
            slope = g + decay * w if decay else g
            v *= momentum
            v += slope
            w -= rate * (slope + momentum * v if self.nesterov else v)


@frozen
class Adam(Companions):
    """Adam (Kingma and Ba 2015): steps of about the rate, whatever the size of the gradient.

    ``m = b1 m + (1 - b1) g``, ``v = b2 v + (1 - b2) g²``, both divided by ``1 - b^step``, then
    ``w -= rate m / (sqrt(v) + eps)``. Weight decay is a part of the gradient, ``g + decay w``.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Equals ``torch.optim.Adam``.

    Examples
    --------
    >>> Adam(learning_rate=0.01).slots
    ('mean', 'square')
    """

    slots: ClassVar[tuple[str, ...]] = ("mean", "square")

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("learning_rate", self.learning_rate, above=0)
        check_range("beta1", self.beta1, below=1)
        check_range("beta2", self.beta2, below=1)
        check_range("eps", self.eps, above=0)
        check_range("weight_decay", self.weight_decay)

    def update(self, weight: Array, gradient: Array, slots: Mapping[str, Array], pace: Pace, decays: bool) -> None:
        """Change a weight and its two averages in place."""
        decay = np.float32(self.weight_decay if decays else 0)
        for w, g, m, v in _blocks(weight, gradient, slots["mean"], slots["square"]):
            self._step(w, g + decay * w if decay else g, m, v, pace)

    def _step(self, w: Array, g: Array, m: Array, v: Array, pace: Pace) -> None:
        beta1 = self.beta1 if pace.momentum is None else pace.momentum
        m += np.float32(1 - beta1) * (g - m)
        v *= np.float32(self.beta2)
        v += np.float32(1 - self.beta2) * g * g
        root = np.sqrt(v)
        root *= np.float32(1 / (1 - self.beta2**pace.step) ** 0.5)
        root += np.float32(self.eps)
        np.divide(m, root, out=root)
        root *= np.float32(self.learning_rate * pace.rate / (1 - beta1**pace.step))
        w -= root


@frozen
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): ``w -= rate decay w`` first.

    Notes
    -----
    Equals ``torch.optim.AdamW``.

    Examples
    --------
    >>> AdamW().weight_decay
    0.01
    """

    weight_decay: float = 0.01

    def update(self, weight: Array, gradient: Array, slots: Mapping[str, Array], pace: Pace, decays: bool) -> None:
        """Change a weight and its two averages in place."""
        keep = np.float32(1 - self.learning_rate * pace.rate * (self.weight_decay if decays else 0))
        for w, g, m, v in _blocks(weight, gradient, slots["mean"], slots["square"]):
            w *= keep
            self._step(w, g, m, v, pace)


ZEROTH_POWER = (3.4445, -4.7750, 2.0315)
"""Jordan's polynomial: it takes singular values from 0.01 to 1 to between 0.7 and 1.2 in five rounds."""


@frozen
class Muon(Companions):
    """Momentum made orthogonal (Jordan 2024): a step of the same length in all directions that the gradients have seen.

    For a layer's weights as a matrix (outputs, inputs): ``m = momentum m + g``, ``U S V^T = g + momentum m``, then
    ``w -= rate decay w`` and ``w -= rate sqrt(max(1, outputs / inputs)) U V^T``. The layer that makes the scores,
    biases and batch-norm have other optimizers, by default AdamW.

    Parameters
    ----------
    learning_rate : float
    momentum : float
        From 0, below 1. Schedules leave it alone.
    weight_decay : float
        Weight decay of what is made orthogonal.
    sphere : bool
        Keep the norm of these weights at the root of ``outputs``: for layers with batch-norm behind them, whose result
        does not depend on it.
    rounds : int
        Of the Newton-Schulz iteration that approximates ``U V^T``.
    head_optimizer, bias_optimizer : SGD, Adam or AdamW
        See `Companions`.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Products of matrices are NumPy's, in float32, so the last bits depend on NumPy's BLAS and, for large dense layers,
    on how many threads that uses. Equals ``torch.optim.Muon``, which takes matrices only and rounds to bfloat16.

    Examples
    --------
    >>> w, slots = np.zeros((2, 2), np.float32), {"mean": np.zeros((2, 2), np.float32)}
    >>> Muon(learning_rate=1.0).update(w, np.diag([1, 100]).astype(np.float32), slots, Pace(1), decays=True)
    >>> bool(abs(w.diagonal() + 1).max() < 0.35)
    True
    """

    slots: ClassVar[tuple[str, ...]] = ("mean",)

    learning_rate: float = 0.02
    momentum: float = 0.95
    weight_decay: float = 0.1
    sphere: bool = False
    rounds: int = 5
    head_optimizer: SGD | Adam | None = field(default=AdamW(0.002, beta2=0.95, weight_decay=0.0), kw_only=True)
    bias_optimizer: SGD | Adam | None = field(default=AdamW(0.01, beta2=0.95, weight_decay=0.0), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("learning_rate", self.learning_rate, above=0)
        check_range("momentum", self.momentum, below=1)
        check_range("weight_decay", self.weight_decay)
        check_range("rounds", self.rounds, above=0)

    def update(self, weight: Array, gradient: Array, slots: Mapping[str, Array], pace: Pace, decays: bool) -> None:
        """Change a weight and its momentum in place."""
        mean, rate = slots["mean"], self.learning_rate * pace.rate
        mean *= np.float32(self.momentum)
        mean += gradient
        direction = orthogonal((gradient + np.float32(self.momentum) * mean).reshape(len(weight), -1), self.rounds)
        rows, columns = direction.shape
        if self.sphere:
            weight *= np.float32(math.sqrt(rows) / max(float(np.linalg.norm(weight)), 1e-12))
        elif decays:
            weight *= np.float32(1 - rate * self.weight_decay)
        weight -= np.float32(rate * math.sqrt(max(1, rows / columns))) * direction.reshape(weight.shape)


def orthogonal(matrix: Array, rounds: int = 5) -> Array:
    """Return about ``U V^T`` of the singular value decomposition ``U S V^T`` of a matrix.

    Examples
    --------
    >>> found = orthogonal(np.array([[3, 0], [0, -0.5]], np.float32))
    >>> found.round().tolist()
    [[1.0, 0.0], [0.0, -1.0]]
    """
    a, b, c = map(np.float32, ZEROTH_POWER)
    x: Array = matrix / (np.linalg.norm(matrix) + np.float32(1e-7))
    wide: Array = x if len(x) <= x.shape[1] else x.T
    for _ in range(rounds):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * (square @ square)) @ wide
    return wide if len(x) <= x.shape[1] else wide.T


OPTIMIZERS: dict[str, type[SGD] | type[Adam] | type[Muon]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "muon": Muon}
"""Every optimizer by the name that the command line knows; tests go through all of them."""


def clip_gradients(gradients: Mapping[str, Array], max_norm: float) -> float:
    """Scale all gradients in place so that their common Euclidean norm is at most ``max_norm``; return what it was.

    Notes
    -----
    Equals ``torch.nn.utils.clip_grad_norm_``, but adds the squares in float64.

    Examples
    --------
    >>> g = {"w": np.array([3, 4], np.float32)}
    >>> clip_gradients(g, 1.0), g["w"].round(2)
    (5.0, array([0.6, 0.8], dtype=float32))
    """
    squares = [float(np.sum(np.square(gradients[name], dtype=np.float64))) for name in sorted(gradients)]
    norm = math.sqrt(sum(squares))
    # A norm that is not finite is left alone: the loss is checked in each step, with an error that names it.
    if max_norm < norm < math.inf:
        for gradient in gradients.values():
            gradient *= np.float32(max_norm / norm)
    return norm


def _blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the same part of each array, one part after the other, as flat views."""
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)
