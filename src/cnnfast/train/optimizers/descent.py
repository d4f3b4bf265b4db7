"""Gradient descent, Adam and AdamW, and how an optimizer leaves the last layer or the biases to another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range, quoted
from cnnfast.train.optimizers.base import Optimizer, Pace, Role, blocks


@frozen(kw_only=True)
class Companions:
    """Base of all optimizers: what the layer that makes the scores follows instead, and what biases and batch-norm do.

    They keep the schedule. Without their own optimizer, biases and batch-norm do not decay.

    Raises
    ------
    ConfigError
        For anything but SGD, Adam or AdamW, or for one that has companions itself.
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
        for w, g, v in blocks(weight, gradient, slots["velocity"]):
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
        for w, g, m, v in blocks(weight, gradient, slots["mean"], slots["square"]):
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
        for w, g, m, v in blocks(weight, gradient, slots["mean"], slots["square"]):
            w *= keep
            self._step(w, g, m, v, pace)
