"""``cnnfast learn PHOTOS --labels labels.csv``: a head on known features, in seconds, and what to label next."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.cli import OK, SOME_FAILED, featured, options
from cnnfast.cli.models import class_names, load_in_float
from cnnfast.cli.progress import log
from cnnfast.cli.words import command_line, without_folders
from cnnfast.data.labels import alike_but_for_case
from cnnfast.data.labels_file import read_labels
from cnnfast.errors import DataError
from cnnfast.formats.saving import check_target
from cnnfast.learn.choose import next_to_label
from cnnfast.learn.features import PictureFeatures, picture_features
from cnnfast.learn.head import CrossValidated, accuracy_on, cross_validated
from cnnfast.learn.network import with_fitted_head
from cnnfast.learn.views import VIEWS
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.review.card import Card
from cnnfast.review.page import check_page, write_page
from cnnfast.runtime import shipped
from cnnfast.runtime.escapes import in_line
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train import feature_cache


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="pictures, or folders of them, labeled or not")
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a table of paths and labels, as `cnnfast review` saves it; of several the last one that names a picture "
        "counts; without any, the pictures are chosen that are most worth a first label",
    )
    options.add_columns(parser)
    parser.add_argument(
        "--base",
        default=shipped.DEFAULT,
        metavar="MODEL",
        help="the network whose features are used: %(default)s by default",
    )
    options.add_preprocess(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the network with its new head")
    parser.add_argument(
        "--next", type=options.positive, default=20, metavar="N", help="print the N pictures to label next (20)"
    )
    parser.add_argument("--review", type=Path, metavar="FILE", help="write a page (.html) to label those")
    parser.add_argument(
        "--views",
        choices=VIEWS,
        default="windows",
        help="look at each picture as a whole, at its mirror image too, or through windows too (default: %(default)s)",
    )
    options.add_max_pixels(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Learn, measure, and print what to label next."""
    if args.out is not None:
        check_target(args.out)
    if args.review is not None:
        check_page(args.review)
    base = load_in_float(args.base, args.preprocess, args.decode)
    given = labels_of(args.labels, args.columns)
    pictures = featured.pictures_of(args.paths)
    places = {os.path.realpath(path) for path in pictures}
    pictures += [Path(path) for path in given if path not in places]
    with threads_or_default(args.threads):
        known = picture_features(pictures, base, views=args.views, cache=feature_cache())
        failures = featured.failures_of(known)
        lesson = Lesson.of(known, given)
        log(*alike_but_for_case(lesson.classes))
        found = lesson.learned() if given else None
        if found is not None:
            print("\n".join(lesson.report(found)))
            log("pictures that were asked for are the hard ones; cnnfast evaluate measures on labels that were not")
        chosen = _choose(known, lesson, found, args.next)
        if args.out is not None:
            _save(args, base, lesson, found, known)
    _print_next(known, lesson, found, chosen)
    if args.review is not None:
        classes = lesson.classes or tuple(class_names(base))
        cards = [_card(known, lesson, found, i) for i in chosen]
        write_page(args.review, cards, classes, f"{len(cards):,} pictures to label next")
        log(f"a page to label them: {args.review}")
    log(*failures.lines())
    return SOME_FAILED if failures.count else OK


def labels_of(files: Sequence[Path], columns: tuple[str, str] | None = None) -> dict[str, str]:
    """Return the label of each picture by its path without links; later files count."""
    given: dict[str, str] = {}
    for file in files:
        given |= {os.path.realpath(row.path): row.label for row in read_labels(file, columns=columns)}
    return given


@frozen(eq=False)
class Lesson:
    """Which of some pictures have a label.

    Attributes
    ----------
    features : float32 array (N, F)
        Of all pictures.
    labeled : int array (M,)
        The numbers of those with a label.
    numbers : int array (M,)
        The class of each.
    classes : tuple of str
    """

    features: Array
    labeled: Array
    numbers: Array
    classes: tuple[str, ...]

    @classmethod
    def of(cls, known: PictureFeatures, given: dict[str, str]) -> Lesson:
        """Find the labels of pictures by their paths."""
        labels = [given.get(os.path.realpath(path)) for path in known.paths]
        classes = tuple(sorted({label for label in labels if label is not None}))
        labeled = np.array([i for i, label in enumerate(labels) if label is not None], np.int64)
        numbers = np.array([classes.index(label) for label in labels if label is not None], np.int64)
        return cls(known.features, labeled, numbers, classes)

    def learned(self) -> CrossValidated:
        """Fit a head to the pictures with a label."""
        if len(self.classes) < 2:
            shown = self.classes[0] if self.classes else "nothing that can be read"
            raise DataError(f"all labeled pictures show {shown}, and a head learns to tell at least two classes apart")
        return cross_validated(self.features[self.labeled], self.numbers)

    def report(self, found: CrossValidated) -> list[str]:
        """Return what to print about a head."""
        counts = Counter(self.numbers.tolist())
        shares = ", ".join(f"{name} {counts[i]:,}" for i, name in enumerate(self.classes))
        lines = [f"{len(self.labeled):,} of {len(self.features):,} pictures have a label: {shares}"]
        if found.accuracy is None:
            return [*lines, "no cross-validation: a class has a single picture; label another one of it"]
        # by Agresti and Coull, so that a few labels that are all right are not taken for certainty
        share = (found.accuracy * len(self.labeled) + 2) / (len(self.labeled) + 4)
        error = (share * (1 - share) / (len(self.labeled) + 4)) ** 0.5
        return [*lines, f"{found.accuracy:.1%} right in cross-validation (standard error {error:.1%})"]


def _choose(known: PictureFeatures, lesson: Lesson, found: CrossValidated | None, count: int) -> list[int]:
    probabilities = None if found is None else found.head.probabilities(known.features)
    return next_to_label(known.features, lesson.labeled, probabilities, count)


def _save(
    args: argparse.Namespace, base: Network, lesson: Lesson, found: CrossValidated | None, known: PictureFeatures
) -> None:
    if found is None:
        raise DataError("--out: without --labels there is nothing to learn; label the pictures that are printed first")
    notes = {"recipe": command_line(["cnnfast", *without_folders(args.words)])}
    with_fitted_head(base, found.head, lesson.classes, notes=notes).save(args.out)
    log(f"network: {args.out}")
    if args.views == "whole" or found.accuracy is None:
        return
    # a network in a file looks at a picture once
    labeled = [known.paths[i] for i in lesson.labeled]
    whole = picture_features(labeled, base, views="whole", cache=feature_cache())
    if whole.paths == labeled:
        accuracy = accuracy_on(whole.features, lesson.features[lesson.labeled], lesson.numbers, found.head.strength)
        print(f"{accuracy:.1%} right in cross-validation by that network, which looks at whole pictures alone")


def _print_next(known: PictureFeatures, lesson: Lesson, found: CrossValidated | None, chosen: Sequence[int]) -> None:
    log(f"the {len(chosen):,} pictures to label next:" if chosen else "every picture has a label")
    for i in chosen:
        card = _card(known, lesson, found, i)
        guess = "" if found is None else f"{card.label} {card.probability:.4f}\t"
        print(f"{guess}{in_line(str(known.paths[i]))}")


def _card(known: PictureFeatures, lesson: Lesson, found: CrossValidated | None, i: int) -> Card:
    if found is None:
        return Card(known.paths[i], None, None)
    probabilities = found.head.probabilities(known.features[i : i + 1])[0]
    best = int(probabilities.argmax())
    return Card(known.paths[i], lesson.classes[best], float(probabilities[best]))
