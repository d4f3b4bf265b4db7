"""The `rand` of glibc, so that a test draws the same images as the programs of CS61C."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice


def glibc_rand(seed: int) -> Iterator[int]:
    """Yield what ``rand()`` returns after ``srand(seed)``: glibc's additive feedback generator of type 3.

    >>> list(islice(glibc_rand(1), 3))
    [1804289383, 846930886, 1681692777]
    """
    state = [seed or 1]
    for _ in range(30):
        state.append(16807 * state[-1] % 0x7FFFFFFF)
    state += state[:3]
    # The first 310 numbers after the seeding are thrown away.
    for index in range(34, 344):
        state.append((state[index - 31] + state[index - 3]) & 0xFFFFFFFF)
    state = state[-31:]
    while True:
        state = [*state[1:], (state[0] + state[-3]) & 0xFFFFFFFF]
        yield state[-1] >> 1


def draw(count: int, records: int = 50_000, seed: int = 1234) -> list[int]:
    """Return the numbers of the training records that CS61C's ``par`` runs classify."""
    return [number % records for number in islice(glibc_rand(seed), count)]
