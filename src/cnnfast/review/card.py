"""One picture of a page for review."""

from __future__ import annotations

from pathlib import Path

from cnnfast._frozen import frozen


@frozen
class Card:
    """A picture with what is believed about it.

    Attributes
    ----------
    path : Path
    label : str or None
        What it is believed to show; None if nothing is believed.
    probability : float or None
        How sure that is.
    rival : str or None
        What else it may show: the most probable other class.
    given : bool
        Whether the label was given by a person, as in a data set with labels, and not by a network.
    confidence : float or None
        How sure a network is of its own label, where that is not the one above.
    """

    path: Path
    label: str | None
    probability: float | None
    rival: str | None = None
    given: bool = False
    confidence: float | None = None
