"""What all examples share: their arguments, and how they show what came out."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnfast import Network, Preprocess, open_dataset
from cnnfast.report.plots import draw_confusion, draw_curves
from cnnfast.report.scores import Scores
from cnnfast.train import Examples, FitResult, load_examples
from cnnfast.train.history import as_line


def arguments(description: str, data: str, epochs: int, **more: str) -> argparse.Namespace:
    """Return the arguments that every example takes, and ``more`` with their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help=data)
    parser.add_argument("--epochs", type=int, default=epochs, help="default: %(default)s")
    parser.add_argument("--limit", type=int, help="learn from at most this many images")
    parser.add_argument("--plots", type=Path, default=Path(), help="folder for the pictures")
    for name, default in more.items():
        parser.add_argument(f"--{name}", default=default, help="default: %(default)s")
    return parser.parse_args()


def both_parts(path: Path, preprocess: Preprocess | None, limit: int | None) -> tuple[Examples, Examples]:
    """Return the training and the test images of a data set."""
    training, test = (load_examples(open_dataset(path, split=split), preprocess)[0] for split in ("train", "test"))
    return shuffled(training, limit), replace(test, name="the test images")


def shuffled(examples: Examples, limit: int | None) -> Examples:
    """Return at most ``limit`` of the examples, in random order."""
    return examples.take(np.random.default_rng(0).permutation(len(examples))[:limit])


def print_row(row: dict[str, float]) -> None:
    """Print what happened in an epoch."""
    print(as_line(row, 0).replace("/0", ""), flush=True)


def show(fitted: FitResult, test: Examples, folder: Path, name: str) -> None:
    """Print the accuracy on the test images, and draw the curves and the confusion matrix."""
    scores = scores_of(fitted.network, test)
    title = f"{scores.accuracy:.2%} of {scores.total:,} test images right"
    print(f"{title}, {fitted.history[-1]['seconds']:.0f} s of training")
    folder.mkdir(parents=True, exist_ok=True)
    draw_curves(fitted.history, folder / f"{name}-curves.png")
    draw_confusion(scores.matrix, scores.classes, folder / f"{name}-confusion.png", title)


def scores_of(net: Network, test: Examples) -> Scores:
    """Return how often which class was taken for which."""
    scores = Scores([str(label) for label in net.classes_])
    scores.add(test.numbers, net.predict_proba(test.images, layout="nhwc"))
    return scores
