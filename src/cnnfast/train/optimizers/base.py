"""What every optimizer is: settings, and a formula for one weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import ClassVar, Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array

BLOCK = 1 << 15
"""Elements updated at a time: a weight, its gradient and its slots stay in the cache from one operation to the next."""


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


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the same part of each array, one part after the other, as flat views."""
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)
