"""``cnnfast demo``: the cats among a few real photographs, in one command."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast.calibration.familiarity import threshold_in
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.cli import OK, options
from cnnfast.cli.demo_pictures import Known, demo_pictures
from cnnfast.cli.models import class_index, class_names, preprocess_of
from cnnfast.cli.unknown import UNKNOWN
from cnnfast.data.cifar10 import CLASSES
from cnnfast.errors import ConfigError
from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.preprocess import Array
from cnnfast.network.network import Network
from cnnfast.report.sheet import check_sheet, contact_sheet
from cnnfast.report.tile import Tile
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import decide

WANTED = "cat"
THRESHOLD = 0.5
SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("contact-sheet.png"),
        metavar="FILE",
        help="the contact sheet, .png or .html (default: %(default)s)",
    )
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Find the cats, count what is right, measure the speed, draw the sheet."""
    check_sheet(args.report)
    pictures = demo_pictures()
    net = Network.load(args.model)
    names = class_names(net)
    if set(names) != set(CLASSES):
        raise ConfigError(f"--model {args.model}: the demo needs a network with the classes {', '.join(CLASSES)}")
    preprocess = preprocess_of(net, args.model)
    images = np.stack([read_picture(known.path, preprocess) for known in pictures])
    recognizer = Recognizer(net, None if threshold_in(net.notes) is not None else -np.inf)
    probabilities, familiarity = recognizer.recognize(images, threads=args.threads)
    unknown = familiarity <= recognizer.known_above
    cats = probabilities[:, class_index(net, WANTED)]
    _print_cats(pictures, cats)
    _print_labeled(pictures, [names[i] for i in probabilities.argmax(axis=1)])
    if threshold_in(net.notes) is not None:
        _print_unknown(pictures, unknown)
    _print_speed(net, images, args)
    title = f"cnnfast demo: {(cats > THRESHOLD).sum()} of {len(pictures)} photographs found to show a cat"
    contact_sheet(_tiles(pictures, probabilities, cats, names, unknown), args.report, title)
    print(f"\ncontact sheet: {args.report.resolve()}")
    return OK


def _print_cats(pictures: Sequence[Known], cats: Array) -> None:
    found = [(p, known) for p, known in zip(cats, pictures, strict=True) if p > THRESHOLD]
    print(f"Which of these {len(pictures)} photographs show a {WANTED}?\n")
    for p, known in sorted(found, key=lambda pair: -pair[0]):
        verdict = "right" if known.label == WANTED else f"wrong: {known.label or 'something else'}"
        print(f"  {p:6.1%}  {known.path.name:<22}  {known.source:<12}  {verdict}")
    missed = [(p, known) for p, known in zip(cats, pictures, strict=True) if p <= THRESHOLD and known.label == WANTED]
    for p, known in missed:
        print(f"  {p:6.1%}  {known.path.name:<22}  {known.source:<12}  missed")


def _print_labeled(pictures: Sequence[Known], labels: Sequence[str]) -> None:
    """Count the network's answers for the labeled pictures; only pictures of a class of CIFAR-10 can be right."""
    print()
    for source in dict.fromkeys(known.source for known in pictures):
        pairs = [(k, label) for k, label in zip(pictures, labels, strict=True) if k.source == source]
        judged = [(k, label) for k, label in pairs if k.label is not None]
        right = sum(k.label == label for k, label in judged)
        rest = len(pairs) - len(judged)
        unjudged = f" ({rest} more show none of the ten classes and are not counted)" if rest else ""
        print(f"{source:<12}  {right} of {len(judged)} labeled pictures right{unjudged}")


def _print_unknown(pictures: Sequence[Known], unknown: Array) -> None:
    """Print what is none of the ten classes by its familiarity, and how often that is right."""
    print("\nless familiar than 95 % of known images, so perhaps none of the ten classes:")
    for known in (known for known, odd in zip(pictures, unknown, strict=True) if odd):
        print(f"  {known.path.name:<22}  {known.source:<12}  {known.label or 'something else'}")
    others = sum(known.label is None for known in pictures)
    right = sum(known.label is None for known, odd in zip(pictures, unknown, strict=True) if odd)
    print(
        f"{right} of {others} that show something else, {int(unknown.sum()) - right} of {len(pictures) - others} others"
    )


def _print_speed(net: Network, images: Array, args: argparse.Namespace) -> None:
    batch = np.concatenate([images] * max(1, 256 // len(images)))
    seconds: list[float] = []
    while sum(seconds) < SECONDS:
        start = time.perf_counter()
        net.predict_proba(batch, threads=args.threads)
        seconds.append(time.perf_counter() - start)
    threads, _ = decide(args.threads)
    rate = len(batch) / min(seconds)
    print(f"\n{rate:,.0f} images/s with {threads} thread{'s'[: threads > 1]}, {kernels.active_isa()}, {args.model}")


def _tiles(
    pictures: Sequence[Known], probabilities: Array, cats: Array, names: Sequence[str], unknown: Array
) -> list[Tile]:
    """Return the tiles, the most confident cat first."""
    tiles = []
    for i in np.argsort(-cats, kind="stable"):
        known, best = pictures[i], int(probabilities[i].argmax())
        found = bool(cats[i] > THRESHOLD)
        wanted = known.label == WANTED
        sure = float(probabilities[i, best])
        label = UNKNOWN if unknown[i] else names[best]
        tiles.append(Tile(known.path, known.path.name, label, sure, found, wanted, known.label))
    return tiles
