"""``cnnfast plot RUN``: the curves and the confusion matrix of a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.cli import OK
from cnnfast.report import plots
from cnnfast.train.history import CONFUSION, HISTORY, read_history


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the folder of a run, as `cnnfast train` leaves it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the pictures go (default: RUN)")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Draw what there is and print the names of the pictures."""
    for path in draw(args.folder, args.out or args.folder, args.format):
        print(path)
    return OK


def draw(folder: Path, target: Path, kind: str = "png") -> list[Path]:
    """Draw the pictures of a run and return their paths; without a confusion matrix only the curves."""
    rows = read_history(folder / HISTORY)
    target.mkdir(parents=True, exist_ok=True)
    drawn = [target / f"curves.{kind}"]
    plots.draw_curves(rows, drawn[0])
    if (folder / CONFUSION).exists():
        drawn.append(target / f"confusion.{kind}")
        matrix, classes, title = plots.read_confusion(folder / CONFUSION)
        plots.draw_confusion(matrix, classes, drawn[1], title)
    return drawn
