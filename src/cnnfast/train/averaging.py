"""Averages of the weights during training, which are often better than the last weights.

To add a rule, write such a class and list it in `AVERAGES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array
from cnnfast.runtime.arguments import check_range, set_whole

State = dict[str, Array]


class Averaging(Protocol):
    """A rule that moves an average toward the weights."""

    leads: ClassVar[bool]
    """Whether the weights continue from the average each time that it has moved."""

    def share(self, step: int, steps: int, done: int | None, epochs: int) -> float | None:
        """Return the weight of the newest values in the average; None leaves it alone, 1 starts it afresh.

        Parameters
        ----------
        step : int
            The number of the step, from 1.
        steps : int
            How many there will be.
        done : int or None
            How many epochs are finished, if this step has finished one.
        epochs : int
            How many there will be.
        """
        ...


@frozen
class EMA:
    """Exponential moving average: ``average = decay average + (1 - decay) weights`` after every step.

    Parameters
    ----------
    decay : float
        In the first steps less, ``step / (step + 9)``, so that the beginning is forgotten.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> EMA(0.99).share(1, 5000, None, 5), round(EMA(0.99).share(5000, 5000, None, 5), 4)
    (0.9, 0.01)
    """

    leads: ClassVar[bool] = False

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_range("decay", self.decay, below=1)

    def share(self, step: int, steps: int, done: int | None, epochs: int) -> float | None:
        """Return the weight of the newest values."""
        return 1 - min(self.decay, step / (step + 9))


@frozen
class SWA:
    """Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights at the ends of the last epochs.

    Parameters
    ----------
    start : float
        The part of training after which averaging begins.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> [SWA(0.5).share(done, 4, done, 4) for done in (1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 0.3333333333333333]
    """

    leads: ClassVar[bool] = False

    start: float = 0.75

    def __post_init__(self) -> None:
        check_range("start", self.start, below=1)

    def share(self, step: int, steps: int, done: int | None, epochs: int) -> float | None:
        """Return the weight of the newest values."""
        if done is None:
            return None
        return 1 / max(1, done - math.ceil(self.start * epochs) + 1)


@frozen
class Lookahead:
    """Slow weights (Zhang et al. 2019), from which the fast ones continue every few steps, slower toward the end.

    After Jordan 2024 (arXiv 2404.00498): the average keeps ``decay**every (step / steps)**3`` of itself.

    Parameters
    ----------
    every : int
        Steps from one move of the average to the next.
    decay : float
        What the average keeps in one step, at the end of training.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> [Lookahead(every=2, decay=0.5).share(step, 4, None, 1) for step in (1, 2, 3, 4)]
    [None, 0.96875, None, 0.75]
    """

    leads: ClassVar[bool] = True

    every: int = 5
    decay: float = 0.95

    def __post_init__(self) -> None:
        set_whole(self, "every", 1)
        check_range("decay", self.decay, below=1)

    def share(self, step: int, steps: int, done: int | None, epochs: int) -> float | None:
        """Return the weight of the newest values."""
        return None if step % self.every else 1 - self.decay**self.every * (step / steps) ** 3


AVERAGES: dict[str, type[EMA] | type[SWA] | type[Lookahead]] = {"ema": EMA, "swa": SWA, "lookahead": Lookahead}
"""Every rule by the name that the command line knows; tests go through all of them."""


def move(average: State, weights: Mapping[str, Array], share: float) -> None:
    """Move an average in place: ``average += share (weights - average)``."""
    for name, array in weights.items():
        if share == 1:
            average[name][...] = array
        else:
            average[name] += np.float32(share) * (array - average[name])
