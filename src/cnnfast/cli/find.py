"""``cnnfast find CLASS PATH…``: which of these thousands are cats?"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.cli import options
from cnnfast.cli.batch_run import Cells, Outcome, run_task
from cnnfast.cli.export import UNSURE, beside_classes
from cnnfast.cli.models import class_indices, class_names, load
from cnnfast.images.preprocess import Array
from cnnfast.network.records import shortest

FOUND, OTHER = "found", "other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "wanted",
        metavar="CLASS",
        help="what to find, several with commas between them; an unknown class lists those of the network",
    )
    options.add_sweep(parser)
    parser.add_argument(
        "--threshold",
        type=options.probability,
        default=0.5,
        metavar="P",
        help="pictures with a probability above P are found (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Find the pictures of some classes."""
    options.read_files_from(args)
    net = load(args.model, args)
    return run_task(
        args, net, Finder(class_indices(net, args.wanted), tuple(class_names(net)), args.threshold, args.unsure)
    )


@frozen
class Finder:
    """Judges by the probability of one class, or that it is one of several.

    Attributes
    ----------
    indices : tuple of int
        Of the classes to find.
    classes : tuple of str
        All of the network.
    threshold : float
    unsure : float, optional
        Between this and the threshold it is not certain whether a picture is found.
    """

    indices: tuple[int, ...]
    classes: tuple[str, ...]
    threshold: float
    unsure: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The most probable of several classes, the probability, and whether that is enough."""
        return (*(("label",) if len(self.indices) > 1 else ()), "probability", "found")

    @property
    def settings(self) -> dict[str, object]:
        """What the rows depend on."""
        return {"command": "find", "class": self._wanted, "threshold": self.threshold}

    @property
    def _wanted(self) -> str:
        return ", ".join(self.classes[i] for i in self.indices)

    def verdict(self, probabilities: Array) -> Outcome:
        """Describe one image."""
        of_each = probabilities[list(self.indices)]
        label = self.classes[self.indices[int(of_each.argmax())]]
        probability = shortest(of_each[0] if len(of_each) == 1 else min(of_each.sum(), np.float32(1)))
        found = probability > self.threshold
        if len(of_each) == 1:
            return Outcome((probability, found), label, probability, f"{probability:.4f}" if found else None)
        width = max(len(self.classes[i]) for i in self.indices)
        line = f"{label:<{width}} {probability:.4f}" if found else None
        return Outcome((label, probability, found), label, probability, line)

    def tally(self, cells: Cells) -> str:
        """Return whether the image was found."""
        return FOUND if str(cells[-1]).lower() == "true" else OTHER

    def shelf(self, cells: Cells) -> str | None:
        """Return the folder of what is found: none of its own for one class, that of the class for several."""
        probability = float(str(cells[-2]))
        if self.unsure is not None and (probability > self.unsure) != (probability > self.threshold):
            return beside_classes(UNSURE, self.classes)
        if self.tally(cells) == OTHER:
            return None
        return "" if len(self.indices) == 1 else str(cells[0])

    def summary(self, counts: Counter[str]) -> str:
        """Return how many were found."""
        wanted = " or ".join(self.classes[i] for i in self.indices)
        return f"{counts[FOUND]:,} of {counts.total():,} found: {wanted} with a probability above {self.threshold:g}"
