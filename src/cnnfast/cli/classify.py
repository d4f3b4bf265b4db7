"""``cnnfast classify PATH…``: what does each picture show?"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.cli import options, tables, watch
from cnnfast.cli.batch_run import Cells, Outcome, run_task
from cnnfast.cli.export import UNSURE, beside_classes
from cnnfast.cli.models import class_names, load
from cnnfast.cli.unknown import KnownOnly
from cnnfast.errors import ConfigError
from cnnfast.images.preprocess import Array
from cnnfast.network.records import shortest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_sweep(parser)
    parser.add_argument("--top", type=options.positive, default=1, metavar="K", help="labels per picture (default: 1)")
    parser.add_argument("--watch", action="store_true", help="continue with pictures that arrive in the folders")
    options.add_unknown(parser)
    tables.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what each picture shows."""
    options.read_files_from(args)
    if tables.named_in(args.paths):
        if args.unknown:
            raise ConfigError("--unknown is for pictures and data sets, and these are tables; leave it out")
        return tables.run(args)
    tables.refuse_options(args)
    net = load(args.model, args)
    names = class_names(net)
    if args.top > len(names):
        raise ConfigError(f"--top {args.top}: this network has only {len(names)} classes: {', '.join(names)}")
    labels = TopLabels(tuple(names), args.top, args.unsure)
    recognizer = Recognizer(net) if args.unknown else None
    task = labels if recognizer is None else KnownOnly(labels, recognizer, tuple(names), prints_all=True)
    if args.watch:
        return watch.run(args, lambda: run_task(args, net, task, recognizer))
    return run_task(args, net, task, recognizer)


@frozen
class TopLabels:
    """Judges by the most probable classes; what is not more probable than ``unsure`` is not sorted by its label."""

    classes: tuple[str, ...]
    top: int
    unsure: float | None

    @property
    def columns(self) -> tuple[str, ...]:
        """A label and its probability for each rank."""
        if self.top == 1:
            return ("label", "probability")
        return tuple(f"{what}_{rank}" for rank in range(1, self.top + 1) for what in ("label", "probability"))

    @property
    def settings(self) -> dict[str, object]:
        """What the rows depend on."""
        return {"command": "classify", "top": self.top}

    def verdict(self, probabilities: Array) -> Outcome:
        """Describe one image; of equal probabilities the first class wins."""
        order = np.argsort(-probabilities, kind="stable")[: self.top]
        ranked = [(self.classes[i], shortest(probabilities[i])) for i in order]
        width = max(map(len, self.classes))
        line = "\t".join(f"{label:<{width}} {probability:.4f}" for label, probability in ranked)
        label, probability = ranked[0]
        return Outcome(tuple(cell for pair in ranked for cell in pair), label, probability, line)

    def tally(self, cells: Cells) -> str:
        """Return the label."""
        return str(cells[0])

    def shelf(self, cells: Cells) -> str:
        """Return the label, or the folder of those that are not certain."""
        label, probability = cells[:2]
        unsure = self.unsure is not None and float(str(probability)) <= self.unsure
        return beside_classes(UNSURE, self.classes) if unsure else str(label)

    def summary(self, counts: Counter[str]) -> str:
        """Return how many show what."""
        shares = ", ".join(f"{label} {count:,}" for label, count in counts.most_common(10))
        return f"{counts.total():,} classified" + (f": {shares}" if shares else "")
