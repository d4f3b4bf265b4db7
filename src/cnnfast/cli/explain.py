"""``cnnfast explain PICTURE --out map.png``: which places of a picture a network's answer depends on."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.cli import OK, options
from cnnfast.cli.export import check_apart
from cnnfast.cli.models import class_index, class_names, load, preprocess_of
from cnnfast.cli.progress import log
from cnnfast.report.occlusion import GRID, check_map, occlusion, write_map
from cnnfast.runtime.threads import threads_or_default


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("picture", metavar="PICTURE", type=Path)
    options.add_model(parser)
    options.add_preprocess(parser)
    options.add_integers(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the map, as .png")
    parser.add_argument("--class", dest="wanted", metavar="NAME", help="what to explain (default: the answer)")
    parser.add_argument(
        "--grid", type=options.positive, default=GRID, metavar="N", help="places on each side that are hidden (7)"
    )
    options.add_max_pixels(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the map, and print how much hiding a place changes."""
    check_map(args.out)
    check_apart(args.out, [args.picture])
    net = load(args.model, args)
    class_names(net)  # refuses networks with several answers for each image
    rule = preprocess_of(net, args.model)
    index = None if args.wanted is None else class_index(net, args.wanted)
    with threads_or_default(args.threads):
        found = occlusion(net, args.picture, index, args.grid)
    write_map(found, args.picture, rule, args.out)
    least, most = found.hidden.min(), found.hidden.max()
    print(f"{found.label} {found.probability:.4f}; with a place hidden {least:.4f} to {most:.4f}")
    log(f"map: {args.out} (orange: hiding the place lowers the probability; blue: raises it)")
    return OK
