"""``--unknown``: pictures unlike any that the network has learned from are not called by the name of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cnnfast._frozen import frozen
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.cli.batch_run import Cells, Judge, Outcome
from cnnfast.cli.export import beside_classes
from cnnfast.images.preprocess import Array

UNKNOWN = "unknown"


@frozen(eq=False)
class KnownOnly:
    """Judges as another task does, but for pictures that are not familiar enough.

    Attributes
    ----------
    task : Judge
    recognizer : Recognizer
    classes : tuple of str
        Of the network.
    prints_all : bool
        Whether a line is printed for what is unknown, too.
    """

    task: Judge
    recognizer: Recognizer
    classes: tuple[str, ...]
    prints_all: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the task, and whether the picture is unknown."""
        return (*self.task.columns, UNKNOWN)

    @property
    def settings(self) -> Mapping[str, object]:
        """What the rows depend on."""
        return {**self.task.settings, "known_above": self.recognizer.known_above}

    def verdict(self, values: Array) -> Outcome:
        """Describe one image by the probabilities of its classes and, behind them, its familiarity."""
        found = self.task.verdict(values[:-1])
        if float(values[-1]) > self.recognizer.known_above:
            return Outcome((*found.cells, False), found.label, found.probability, found.line)
        width = max(map(len, (*self.classes, UNKNOWN)))
        line = f"{UNKNOWN:<{width}} {'':6}" if self.prints_all else None
        return Outcome((*found.cells, True), UNKNOWN, found.probability, line)

    def tally(self, cells: Cells) -> str:
        """Return the heading of the task, or that the picture is unknown."""
        return UNKNOWN if _is_true(cells[-1]) else self.task.tally(cells[:-1])

    def shelf(self, cells: Cells) -> str | None:
        """Return the folder of the task, or one of its own for what that would take and is unknown."""
        place = self.task.shelf(cells[:-1])
        return beside_classes(UNKNOWN, self.classes) if _is_true(cells[-1]) and place is not None else place

    def summary(self, counts: Counter[str]) -> str:
        """Return the result in half a line."""
        known = Counter({name: count for name, count in counts.items() if name != UNKNOWN})
        return f"{self.task.summary(known)}; {counts[UNKNOWN]:,} unknown"


def _is_true(cell: object) -> bool:
    return str(cell).lower() == "true"
