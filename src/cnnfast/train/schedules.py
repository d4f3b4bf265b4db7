"""How the learning rate goes from the first step to the last.

To add a schedule, write such a class and list it in `SCHEDULES`.
"""

from __future__ import annotations

import math
from typing import Protocol

from cnnfast._frozen import frozen
from cnnfast.runtime.arguments import check_range
from cnnfast.train.optimizers import Pace


class Schedule(Protocol):
    """A rule for the rate, and for the momentum where it has one."""

    def pace(self, step: int, steps: int, epochs: int) -> Pace:
        """Return the pace of step ``step`` (from 0) of ``steps`` that make ``epochs`` epochs."""
        ...


@frozen
class Constant:
    """Always the optimizer's rate.

    Examples
    --------
    >>> Constant().pace(5, 10, 1).rate
    1.0
    """

    def pace(self, step: int, steps: int, epochs: int) -> Pace:
        """Return the pace of a step."""
        return Pace(step + 1)


@frozen
class StepDecay:
    """The rate times ``factor`` after every ``every`` epochs.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> [StepDecay(every=1, factor=0.5).pace(step, 4, 2).rate for step in range(4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    every: float = 10
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_range("every", self.every, above=0)
        check_range("factor", self.factor, above=0)

    def pace(self, step: int, steps: int, epochs: int) -> Pace:
        """Return the pace of a step."""
        return Pace(step + 1, self.factor ** int(step * epochs / steps / self.every))


@frozen
class Falling:
    """Base of what falls from the rate to ``floor`` of it, after a straight rise over ``warmup`` of all steps.

    The rise begins at ``start`` of the rate.

    Raises
    ------
    ConfigError
        For a value out of range.
    """

    warmup: float = 0.0
    floor: float = 0.0
    start: float = 0.0

    def __post_init__(self) -> None:
        check_range("warmup", self.warmup, below=1)
        check_range("floor", self.floor, below=1)
        check_range("start", self.start, below=1)

    def pace(self, step: int, steps: int, epochs: int) -> Pace:
        """Return the pace of a step."""
        rise = self.warmup * steps
        if step < rise:
            return Pace(step + 1, self.start + (1 - self.start) * (step + 1) / (rise + 1))
        return Pace(step + 1, self.fall((step - rise) / (steps - rise)))

    def fall(self, part: float) -> float:
        """Return the factor of the rate where a part of the way down is done."""
        raise NotImplementedError


@frozen
class Cosine(Falling):
    """Half a cosine from the rate down to ``floor`` of it, after a linear rise over ``warmup`` of all steps.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Without warm-up, ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    Examples
    --------
    >>> [round(Cosine().pace(step, 4, 1).rate, 2) for step in range(4)]
    [1.0, 0.85, 0.5, 0.15]
    """

    def fall(self, part: float) -> float:
        """Return the factor of the rate where a part of the way down is done."""
        return _cosine(1.0, self.floor, part)


@frozen
class LinearDecay(Falling):
    """A straight line from the rate down to ``floor`` of it, after a straight rise over ``warmup`` of all steps.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Without warm-up, ``torch.optim.lr_scheduler.LinearLR`` with a start factor of 1.

    Examples
    --------
    >>> [LinearDecay().pace(step, 4, 1).rate for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    def fall(self, part: float) -> float:
        """Return the factor of the rate where a part of the way down is done."""
        return 1 - (1 - self.floor) * part


@frozen
class OneCycle:
    """Up to the rate over the first part of training and down to nearly zero, the momentum the other way round.

    One cycle after Smith and Topin (2018): from ``rate / start`` to the rate, then to ``rate / start / end``, along
    half cosines; the momentum from ``calm`` to ``fast`` and back.

    Raises
    ------
    ConfigError
        For a value out of range.

    Notes
    -----
    Equals ``torch.optim.lr_scheduler.OneCycleLR``.

    Examples
    --------
    >>> paces = [OneCycle(peak=0.5).pace(step, 8, 1) for step in (0, 3, 7)]
    >>> [(round(p.rate, 3), p.momentum) for p in paces]
    [(0.04, 0.95), (1.0, 0.85), (0.0, 0.95)]
    """

    peak: float = 0.3
    start: float = 25.0
    end: float = 1e4
    calm: float = 0.95
    fast: float = 0.85

    def __post_init__(self) -> None:
        check_range("peak", self.peak, above=0, below=1)
        check_range("start", self.start, above=0)
        check_range("end", self.end, above=0)
        check_range("calm", self.calm, below=1)
        check_range("fast", self.fast, below=1)

    def pace(self, step: int, steps: int, epochs: int) -> Pace:
        """Return the pace of a step."""
        top, last = self.peak * steps - 1, steps - 1
        low, lowest = 1 / self.start, 1 / self.start / self.end
        if step <= top:
            part = step / top if top > 0 else 1.0
            return Pace(step + 1, _cosine(low, 1.0, part), _cosine(self.calm, self.fast, part))
        part = (step - max(top, 0)) / (last - max(top, 0)) if last > max(top, 0) else 1.0
        return Pace(step + 1, _cosine(1.0, lowest, part), _cosine(self.fast, self.calm, part))


def _cosine(begin: float, end: float, part: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * part))


SCHEDULES: dict[str, type[Constant] | type[StepDecay] | type[Cosine] | type[LinearDecay] | type[OneCycle]] = {
    "constant": Constant,
    "step": StepDecay,
    "cosine": Cosine,
    "linear": LinearDecay,
    "one-cycle": OneCycle,
}
"""Every schedule by the name that the command line knows; tests go through all of them."""
