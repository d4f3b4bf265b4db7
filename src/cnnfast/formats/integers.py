"""What the integers of a quantized file stand for, by the names of the graph's values and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import Graph, optimize
from cnnfast.graph.integers import (
    FLOAT_PASSES,
    LAYERS,
    to_integers,
    with_merged_limits,
    with_rounded_means,
    without_implied_limits,
)
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid
from cnnfast.runtime.arguments import flag

FIRST_BYTE = {"uint8": 0, "int8": -128}
"""The integer that our byte 0 is."""


NOTE = "integers"
"""The note of a model that says which of its layers compute with integers, and why others do not."""

MOST_REASONS = 8


class Computed(NamedTuple):
    """A graph, and the notes that say what it computes with."""

    graph: Graph
    notes: dict[str, str]


@dataclass(eq=False, repr=False)
class FoundIntegers:
    """The scales and zero points of a file.

    Attributes
    ----------
    grids : dict of str to Grid
        Of values.
    scales : dict of str to array
        Of the weights of layers, by the name of the layer.
    in_float : dict of str to str
        Layers that cannot become integers, and why.
    halves : dict of str to str
        To where average pools round halves, by name.
    """

    grids: dict[str, Grid] = field(default_factory=dict)
    scales: dict[str, Array] = field(default_factory=dict)
    in_float: dict[str, str] = field(default_factory=dict)
    halves: dict[str, str] = field(default_factory=dict)

    def note(self, value: str, dtype: str, scale: float, zero: float) -> None:
        """Note what the integers of a value stand for; one that only changes its grid is of the first."""
        if dtype not in FIRST_BYTE:
            return
        try:
            self.grids.setdefault(value, Grid(scale, round(zero) - FIRST_BYTE[dtype]))
        except GraphError:
            # a scale that float32 does not hold; without a grid the value stays in float, and that says why
            return

    def computed_with(self, graph: Graph, wanted: bool | None, input_is_own: bool = True) -> Computed:
        """Return a graph computed with the integers of the file, rounded where the file rounds.

        Parameters
        ----------
        graph : Graph
            Of floats.
        wanted : bool or None
            As a caller of `Network.load` says it: None takes the integers where a layer has them.
        input_is_own : bool
            Whether the input of the graph is that of the file, and not what arithmetic at its start made of it.

        Raises
        ------
        UnsupportedError
            If integers are wanted, and no layer becomes one of integers.
        """
        if wanted is False or (wanted is None and not self._is_quantized):
            return Computed(graph, {})
        grids = {v: grid for v, grid in self.grids.items() if input_is_own or v not in graph.inputs}
        plain = with_rounded_means(with_merged_limits(optimize(graph, FLOAT_PASSES), grids), grids)
        made = to_integers(plain, grids, self.in_float, self.scales, round_all=True, halves=self.halves)
        final = without_implied_limits(made.graph)
        layers = [node.name for node in plain.nodes if isinstance(node.op, LAYERS)]
        left = [name for name in layers if name in made.in_float]
        if len(left) < len(layers):
            # layers first; a clip that the rounding behind it implies is gone
            others = [name for name in made.in_float if name in final.by_name and name not in left]
            why = _told(made.in_float, [*left, *others])
            note = f"{len(layers) - len(left)} of {len(layers)} layers compute with integers"
            return Computed(final, {NOTE: f"{note}; in float: {why}" if why else note})
        why = _told(made.in_float, left)
        if wanted:
            raise UnsupportedError(f"no layer computes with integers: {why}; load it without integers=True")
        return Computed(graph, {NOTE: f"the file has integers, but runs in float: {why}"})

    @property
    def _is_quantized(self) -> bool:
        """Whether the file states what the integers of both layers and values stand for."""
        return bool(self.grids and (self.scales or self.in_float))


def _told(reasons: Mapping[str, str], names: Sequence[str]) -> str:
    listed = [f"{name}: {reasons[name]}" for name in names[:MOST_REASONS]]
    return "; ".join(listed + [f"and {len(names) - MOST_REASONS} more"] * (len(names) > MOST_REASONS))


def check_wanted(integers: object) -> None:
    """Raise `ConfigError` unless the option of readers is True, False or None."""
    if integers is not None:
        flag("integers", integers)
