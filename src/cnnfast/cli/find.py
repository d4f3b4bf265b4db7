"""``cnnfast find CLASS PATH…``: which of these thousands are cats?"""

from __future__ import annotations

import argparse
from collections import Counter

from cnnfast._frozen import frozen
from cnnfast.cli import options
from cnnfast.cli.batch_run import Cells, Outcome, run_task
from cnnfast.cli.models import class_index, class_names, load
from cnnfast.images.preprocess import Array
from cnnfast.network.records import shortest

FOUND, OTHER = "found", "other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("wanted", metavar="CLASS", help="what to find; an unknown class lists those of the network")
    options.add_sweep(parser)
    parser.add_argument(
        "--threshold",
        type=options.probability,
        default=0.5,
        metavar="P",
        help="pictures with a probability above P are found (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Find the pictures of a class."""
    net = load(args.model, args)
    index = class_index(net, args.wanted)
    return run_task(args, net, Finder(index, class_names(net)[index], args.threshold))


@frozen
class Finder:
    """Judges by the probability of one class."""

    index: int
    name: str
    threshold: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The probability, and whether that is enough."""
        return ("probability", "found")

    @property
    def settings(self) -> dict[str, object]:
        """What the rows depend on."""
        return {"command": "find", "class": self.name, "threshold": self.threshold}

    def verdict(self, probabilities: Array) -> Outcome:
        """Describe one image."""
        probability = shortest(probabilities[self.index])
        found = probability > self.threshold
        return Outcome((probability, found), self.name, probability, f"{probability:.4f}" if found else None)

    def tally(self, cells: Cells) -> str:
        """Return whether the image was found."""
        return FOUND if str(cells[1]).lower() == "true" else OTHER

    def summary(self, counts: Counter[str]) -> str:
        """Return how many were found."""
        return f"{counts[FOUND]:,} of {counts.total():,} found: {self.name} with a probability above {self.threshold:g}"
