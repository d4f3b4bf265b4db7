"""``cnnfast remember MODEL DATA --out FILE``: features of what a network has learned from travel in its file."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.labeled import open_labeled
from cnnfast.cli.models import check_may_write, load_in_float, preprocess_of
from cnnfast.cli.progress import Failures, log
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train import load_examples, remember
from cnnfast.train.remembering import PER_CLASS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_preprocess(parser)
    parser.add_argument("data", metavar="DATA", help=f"what the network has learned from: {options.LABELED}")
    options.add_columns(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write, NAME.safetensors")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--per-class",
        type=options.positive,
        default=PER_CLASS,
        metavar="N",
        help="pictures of each class, spread evenly (%(default)s)",
    )
    options.add_max_pixels(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Compute the features and write the network with them."""
    target: Path = args.out
    check_may_write(target, args.force)
    net = load_in_float(args.model, args.preprocess, args.decode)
    dataset = open_labeled(net, args.data, "train", args.columns).of_each_class(args.per_class)
    failures = Failures()
    with threads_or_default(args.threads):
        examples, failed = load_examples(dataset, preprocess_of(net, args.model))
        for error in failed:
            failures.add_error(error)
        failures.note(dataset.notes)
        made = remember(net, examples, per_class=args.per_class)
    made.save(target)
    print(f"{target}: {made.remembered}")
    log(*failures.lines())
    return SOME_FAILED if failures.count else OK
