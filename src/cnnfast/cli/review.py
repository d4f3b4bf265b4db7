"""``cnnfast review RESULTS``: a page on which a person corrects what pictures show, the most doubtful first."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.models import class_names, load_in_float
from cnnfast.cli.progress import Failures, log
from cnnfast.data import Dataset, match_class, open_dataset
from cnnfast.errors import CnnfastError, ConfigError, DataError, PictureError
from cnnfast.learn.features import picture_features
from cnnfast.learn.head import cross_validated
from cnnfast.learn.suspects import believed
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.review.card import Card
from cnnfast.review.order import ORDERS, ordered
from cnnfast.review.page import check_page, write_page
from cnnfast.review.results import is_results, read_results, stated_settings
from cnnfast.runtime import shipped
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train import feature_cache

TITLES = {
    "suspect": "improbable labels first",
    "uncertain": "uncertain ones first",
    "class": "class by class",
    "random": "in random order",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "data",
        metavar="RESULTS",
        type=Path,
        help="the file of --out of `cnnfast classify` or `find`; or pictures with labels: one folder per class, or a "
        "table of paths and labels",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("review.html"), metavar="FILE", help="the page (default: %(default)s)"
    )
    parser.add_argument(
        "--by",
        choices=ORDERS,
        help="what comes first: labels that are improbable, pictures that are uncertain, class by class, or by chance "
        "(default: uncertain for results, suspect for labels)",
    )
    parser.add_argument(
        "--limit", type=options.positive, default=1000, metavar="N", help="only the first N pictures (%(default)s)"
    )
    parser.add_argument(
        "--classes", type=lambda text: text.split(","), metavar="NAMES", help="with commas; each gets a key"
    )
    parser.add_argument(
        "--model", metavar="NAME_OR_FILE", help=f"the network that looks at labeled pictures ({shipped.DEFAULT})"
    )
    options.add_preprocess(parser)
    options.add_columns(parser)
    parser.add_argument("--split", choices=("train", "test"), default="train", help="part of labeled data (train)")
    options.add_max_pixels(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    check_page(args.out)
    failures = Failures()
    with threads_or_default(args.threads):
        if args.columns is None and is_results(args.data):
            cards, classes = _of_results(args, failures)
            by = args.by or "uncertain"
            if by == "suspect":
                raise ConfigError(
                    f"--by suspect is about labels that people gave, and {args.data} has those of a network; use "
                    "--by uncertain"
                )
        else:
            cards, classes = _of_labels(args, failures)
            by = args.by or "suspect"
        if not cards:
            raise DataError(f"{args.data}: has no picture with a result, so there is nothing to review")
        shown = ordered(cards, by)[: args.limit]
        part = f"the first {len(shown):,} of {len(cards):,}" if len(shown) < len(cards) else f"{len(cards):,}"
        for error in write_page(
            args.out, shown, args.classes or classes, f"{args.data.name}: {part} pictures, {TITLES[by]}"
        ):
            failures.add(error.path, error.reason)
    log(*failures.lines(), f"{part} pictures are in {args.out}: open it in a browser, and save labels.csv there")
    return SOME_FAILED if failures.count else OK


def _of_results(args: argparse.Namespace, failures: Failures) -> tuple[list[Card], list[str]]:
    cards, without = read_results(args.data)
    if without:
        log(f"{args.data}: {without:,} rows have no result and are left out")
    found = sorted({card.label for card in cards if card.label})
    model = args.model or stated_settings(args.data).get("model")
    try:
        known = class_names(Network.load(str(model))) if model is not None else []
    except (CnnfastError, OSError) as error:
        log(f"the classes are those of {args.data}, because the network that made it cannot be read: {error}")
        known = []
    return cards, known if set(found) <= set(known) else found


def _of_labels(args: argparse.Namespace, failures: Failures) -> tuple[list[Card], list[str]]:
    dataset = open_dataset(str(args.data), split=args.split, columns=args.columns)
    paths = getattr(dataset.source, "paths", None)
    if dataset.labels is None or dataset.classes is None:
        raise DataError(
            f"{dataset.name}: has no labels to look at; write results first: cnnfast classify {args.data} "
            "--out results.csv, then cnnfast review results.csv"
        )
    if paths is None:
        raise DataError(f"{dataset.name}: has its images in an array; a review shows picture files")
    net = load_in_float(args.model or shipped.DEFAULT, args.preprocess, args.decode)
    positions, probabilities = _probabilities(net, dataset, paths, failures)
    labels = dataset.labels[positions]
    seen = believed(probabilities, labels)
    cards = [
        Card(
            paths[position],
            dataset.classes[label],
            float(seen.given[i]),
            dataset.classes[seen.rival[i]],
            given=True,
            confidence=float(seen.confidence[i]),
        )
        for i, (position, label) in enumerate(zip(positions, labels.tolist(), strict=True))
    ]
    return cards, list(dataset.classes)


def _probabilities(net: Network, dataset: Dataset, paths: list[Path], failures: Failures) -> tuple[list[int], Array]:
    """Return the positions of the pictures that can be read, and the probability of each class of the data set.

    They are by heads on the network's features that did not learn from the picture they are asked about; or by the
    network itself, if it knows all classes and agrees with more of the labels.
    """
    assert dataset.labels is not None
    assert dataset.classes is not None
    known = picture_features(paths, net, cache=feature_cache())
    for path, error in known.failed:
        failures.add(str(path), error.reason if isinstance(error, PictureError) else str(error))
    position = {path: i for i, path in enumerate(paths)}
    positions = [position[path] for path in known.paths]
    labels = dataset.labels[positions]
    found = cross_validated(known.features, labels)
    if found.probabilities is None or found.accuracy is None:
        raise DataError(f"{dataset.name}: a class has a single picture, which no other can judge; add one")
    own = _own_probabilities(net, dataset.classes, known.paths)
    agreeing = 0.0 if own is None else float((own.argmax(axis=1) == labels).mean())
    if own is not None and agreeing > found.accuracy:
        log(f"{agreeing:.1%} of the labels are what the network says")
        return positions, own
    log(f"{found.accuracy:.1%} of the labels are what heads say that learned from the other pictures")
    return positions, found.probabilities


def _own_probabilities(net: Network, classes: Sequence[str], paths: Sequence[Path]) -> Array | None:
    """Return what the network says about pictures, among some classes; None if it does not know all of them."""
    try:
        columns = [match_class(name, class_names(net)) for name in classes]
    except CnnfastError:
        return None
    if len(set(columns)) < len(columns):
        return None
    rows = [result.probabilities for result in net.stream(paths)]
    if any(row is None for row in rows):  # gone since its features were computed
        return None
    among = np.stack([row[columns] for row in rows if row is not None])
    scaled: Array = among / np.maximum(among.sum(axis=1, keepdims=True), 1e-12)
    return scaled
