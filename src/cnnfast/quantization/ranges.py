"""Ranges that bytes may cover: of each value several candidates, and the best of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cnnfast.graph.integers import grid_of_range
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.detour import Detour
from cnnfast.quantization.statistics import Distribution

PERCENTILES = (99.9, 99.99, 99.999)

RULES = len(PERCENTILES) + 2
"""How many candidates there are for a range, at most."""

SHRUNK = np.linspace(0.2, 1.0, 33)
"""Parts of a range among which the one with the least squared error is searched."""


def candidates(found: Distribution) -> dict[str, Grid]:
    """Return grids by the rule that made each; what several rules agree on is there once.

    Examples
    --------
    >>> counts = np.zeros(2048, np.int64)
    >>> counts[:100], counts[-1] = 1000, 1
    >>> found = candidates(Distribution(0.0, 100.0, counts, np.zeros(1), np.zeros(1)))
    >>> {name: round(grid.limits[1]) for name, grid in found.items()}
    {'min/max': 100, '99.9 %': 5, 'least squares': 88}
    """
    grids = {"min/max": grid_of_range(found.low, found.high)}
    for percent in PERCENTILES:
        grids[f"{percent} %"] = grid_of_range(*_percentiles(found, percent))
    grids["least squares"] = least_squares(found)
    distinct: dict[Grid, str] = {}
    for name, grid in grids.items():
        distinct.setdefault(grid, name)
    return {name: grid for grid, name in distinct.items()}


def _percentiles(found: Distribution, percent: float) -> tuple[float, float]:
    """Return the range that holds that percentage of the elements, with as many cut off at either end."""
    share = np.cumsum(found.counts) / found.counts.sum()
    edges = np.linspace(found.low, found.high, len(share) + 1)
    cut = (100 - percent) / 200
    return float(edges[np.searchsorted(share, cut)]), float(edges[np.searchsorted(share, 1 - cut) + 1])


def least_squares(found: Distribution) -> Grid:
    """Return the grid with the least squared error: first one end of the range is moved, then the other."""
    low, high = found.low, found.high
    for _ in range(2):
        high = min(
            (part * found.high for part in SHRUNK), key=lambda end: squared_error(found, grid_of_range(low, end))
        )
        low = min((part * found.low for part in SHRUNK), key=lambda end: squared_error(found, grid_of_range(end, high)))
    return grid_of_range(low, high)


def squared_error(found: Distribution, grid: Grid) -> float:
    """Return the sum of the squared errors of all elements on a grid."""
    centers = found.centers
    return float(found.counts @ (grid.real(grid.nearest(centers)).astype(np.float64) - centers) ** 2)


def best_grids(
    names: Iterable[str], found: Mapping[str, Distribution], detour: Detour
) -> tuple[dict[str, Grid], dict[str, str]]:
    """Return for each value the candidate with which the output of the network changes least, and its rule.

    Only that value is rounded, all else is in float. Where the rest of the network reads too many other values, the
    least squared error of the value itself decides.
    """
    names = list(names)
    detour.compute(names)
    grids: dict[str, Grid] = {}
    rules: dict[str, str] = {}
    for name in detour.runs.counted(names, "ranges of values"):
        choices = candidates(found[name])
        errors = {rule: _output_error(detour, name, grid) for rule, grid in choices.items()}
        known = {rule: error for rule, error in errors.items() if error is not None}
        rules[name] = min(known, key=known.__getitem__) if known else "least squares"
        grids[name] = choices[rules[name]] if known else least_squares(found[name])
    return grids, rules


def _output_error(detour: Detour, name: str, grid: Grid) -> float | None:
    output = detour.through(name, rounded(detour.value(name), grid))
    return None if output is None else float(np.square(output.astype(np.float64) - detour.output).mean())


def rounded(values: Array, grid: Grid) -> Array:
    """Return the numbers that the nearest bytes stand for."""
    return grid.real(grid.nearest(values))
