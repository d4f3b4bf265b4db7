"""Which pictures of a review come first."""

from __future__ import annotations

from collections.abc import Sequence

from cnnfast.review.card import Card
from cnnfast.runtime.random import generator

ORDERS = ("suspect", "uncertain", "class", "random")
"""Labels that are least probable; pictures that a network is least sure of; class by class; by chance."""


def ordered(cards: Sequence[Card], by: str) -> list[Card]:
    """Return cards in an order of `ORDERS`; equal ones stay in the order that they have.

    Examples
    --------
    >>> from pathlib import Path
    >>> cards = [Card(Path("a"), "dog", 0.9), Card(Path("b"), "cat", 0.5), Card(Path("c"), "cat", 0.7)]
    >>> ["".join(str(card.path) for card in ordered(cards, by)) for by in ("uncertain", "class")]
    ['bca', 'bca']
    """
    if by == "random":
        return [cards[i] for i in generator(0, 0, "review").permutation(len(cards))]
    doubtful = sorted(cards, key=lambda card: _certainty(card, by))
    return sorted(doubtful, key=lambda card: card.label or "") if by == "class" else doubtful


def _certainty(card: Card, by: str) -> float:
    own = card.confidence if by == "uncertain" and card.confidence is not None else card.probability
    return -1.0 if own is None else own
