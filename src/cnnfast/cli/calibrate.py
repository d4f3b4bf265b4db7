"""``cnnfast calibrate MODEL DATA --out FILE``: probabilities become right as often as they say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cnnfast.calibration.api import AUTO, METHODS, calibrated
from cnnfast.calibration.scores import ending_of
from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.labeled import open_labeled, read_scores
from cnnfast.cli.models import check_may_write, load
from cnnfast.cli.progress import Failures, log
from cnnfast.runtime.threads import threads_or_default

FEW = 100
"""Fewer images than this say too little about a temperature."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_preprocess(parser)
    options.add_integers(parser)
    parser.add_argument("data", metavar="DATA", help=f"{options.LABELED}; images that the network has not learned from")
    options.add_columns(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write, NAME.safetensors")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--method",
        choices=(AUTO, *METHODS),
        default=AUTO,
        help="one temperature for all scores, which changes no label; a factor and a shift for each class; or the "
        "second only if it is certainly better (default)",
    )
    parser.add_argument(
        "--limit", type=options.positive, metavar="N", help="only N images, each class in proportion, spread evenly"
    )
    options.add_split(parser)
    options.add_max_pixels(parser)
    options.add_json(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, write the network, and say what has changed."""
    target: Path = args.out
    check_may_write(target, args.force)
    net = load(args.model, args)
    ending = ending_of(net)
    dataset = open_labeled(net, args.data, args.split, args.columns)
    dataset = dataset if args.limit is None else dataset.part(args.limit)
    failures = Failures()
    with threads_or_default(args.threads):
        scores, numbers = read_scores(net, args.model, ending, dataset, failures)
    if len(scores) < FEW:
        log(f"only {len(scores)} image{'s'[: len(scores) > 1]}: take {FEW} at least, better 1,000")
    result = calibrated(net, ending, scores, numbers, args.method)
    result.network.save(target)
    facts = {"file": str(target), "data": dataset.name, **result.to_dict()}
    print(json.dumps(facts, indent=2) if args.json else f"{dataset.name}\n{result}\n\n{target}")
    log(*failures.lines())
    return SOME_FAILED if failures.count else OK
