"""JSON of which a stranger has changed some values: it parses, and what is wrong is what it says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

ODD = (
    *(0, 1, -1, 2, 3, 7, 32, 2**20, 2**31, 2**40, 2**62, 10**18, -5, 0.5, 1e308, 1e-320, True, False, None),
    *("", "x", "relu", "input", "a\n", "1", "é" * 600, [], {}, [1], {"w": 1}, [[1]]),
)
"""Values that are worth trying anywhere."""

MAX_LOOKED_AT = 40
"""Of a list; the others are alike."""

Place = tuple[Any, ...]


def changed(value: Any, rng: np.random.Generator, odd: float = 0.1) -> Any:
    """Return a copy in which one value or a few are others, missing, or there twice."""
    result = copy.deepcopy(value)
    for _ in range(1 + rng.binomial(9, odd)):
        places = [place for place in _places(result) if place]
        _change(result, places, rng)
    return result


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value)
    elif isinstance(value, list):
        inner = list(range(min(len(value), MAX_LOOKED_AT)))
    for key in inner:
        yield from _places(value[key], (*place, key))


def _change(whole: Any, places: list[Place], rng: np.random.Generator) -> None:
    if not places:
        return
    *way, last = places[int(rng.integers(len(places)))]
    container = _at(whole, way)
    match int(rng.integers(6)):
        case 0:
            container.pop(last)
        case 1 if isinstance(container, list):
            container.insert(last, copy.deepcopy(container[last]))
        case 2:
            container[last] = copy.deepcopy(_at(whole, places[int(rng.integers(len(places)))]))
        case _:
            container[last] = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])


def _at(whole: Any, place: Place | list[Any]) -> Any:
    for key in place:
        whole = whole[key]
    return whole
