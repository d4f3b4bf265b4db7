"""How probable given labels are: those that are not may be wrong."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array


@frozen(eq=False)
class Believed:
    """What is believed about pictures that have labels.

    Attributes
    ----------
    given : array (N,)
        The probability of the given label.
    rival : int array (N,)
        The most probable other class.
    confidence : array (N,)
        The largest probability.
    """

    given: Array
    rival: Array
    confidence: Array


def believed(probabilities: Array, labels: Array) -> Believed:
    """Return how probable each given label is.

    Parameters
    ----------
    probabilities : array (N, K)
        By a network, or by heads, that did not learn these labels.
    labels : int array (N,)

    Examples
    --------
    >>> found = believed(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    >>> found.given.tolist(), found.rival.tolist()
    ([0.9, 0.2], [1, 1])
    """
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    return Believed(probabilities[rows, labels], others.argmax(axis=1), probabilities.max(axis=1))
