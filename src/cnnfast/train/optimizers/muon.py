"""Muon: momentum made orthogonal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range, set_whole
from cnnfast.train.optimizers.base import Pace
from cnnfast.train.optimizers.descent import SGD, Adam, AdamW, Companions

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
        set_whole(self, "rounds", 1)

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
