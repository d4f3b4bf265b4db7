"""``cnnfast find CLASS PATH…``: which of these thousands are cats?"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping

from cnnfast._frozen import field, frozen
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.cli import auto_threshold, options
from cnnfast.cli.batch_run import Cells, Outcome, run_task
from cnnfast.cli.export import UNSURE, beside_classes
from cnnfast.cli.models import class_indices, class_names, load
from cnnfast.cli.unknown import KnownOnly
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
    auto_threshold.add_arguments(parser)
    options.add_unknown(parser)


def run(args: argparse.Namespace) -> int:
    """Find the pictures of some classes."""
    options.read_files_from(args)
    net = load(args.model, args)
    indices, names = class_indices(net, args.wanted), tuple(class_names(net))
    recognizer = Recognizer(net) if args.unknown else None
    threshold, how = auto_threshold.decided(args, net, indices)
    finder = Finder(indices, names, threshold, args.unsure, how)
    if recognizer is None:
        return run_task(args, net, finder)
    return run_task(args, net, KnownOnly(finder, recognizer, names, prints_all=False), recognizer)


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
    chosen : mapping
        How the threshold was chosen, where it was.
    """

    indices: tuple[int, ...]
    classes: tuple[str, ...]
    threshold: float
    unsure: float | None = None
    chosen: Mapping[str, object] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The most probable of several classes, the probability, and whether that is enough."""
        return (*(("label",) if len(self.indices) > 1 else ()), "probability", "found")

    @property
    def settings(self) -> dict[str, object]:
        """What the rows depend on."""
        return {"command": "find", "class": self._wanted, "threshold": self.threshold, **self.chosen}

    @property
    def _wanted(self) -> str:
        return ", ".join(self.classes[i] for i in self.indices)

    def verdict(self, probabilities: Array) -> Outcome:
        """Describe one image."""
        of_each = probabilities[list(self.indices)]
        label = self.classes[self.indices[int(of_each.argmax())]]
        probability = shortest(auto_threshold.of_classes(probabilities, self.indices))
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
