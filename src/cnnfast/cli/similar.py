"""``cnnfast similar PHOTO PATH…``: which pictures are most like a given one?"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cnnfast.cli import OK, SOME_FAILED, featured, options
from cnnfast.cli.export import check_apart
from cnnfast.cli.progress import log
from cnnfast.errors import PictureError
from cnnfast.learn.alike import directions
from cnnfast.report.sheet import check_sheet, contact_sheet
from cnnfast.report.tile import Tile
from cnnfast.runtime.escapes import in_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("photo", metavar="PHOTO", type=Path, help="the picture that the others are compared with")
    featured.add_arguments(parser)
    parser.add_argument("--top", type=options.positive, default=20, metavar="N", help="how many are printed (20)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="draw them, as .png or .html")


def run(args: argparse.Namespace) -> int:
    """Print the most similar pictures with the cosine of their features, the most similar one first."""
    if args.report is not None:
        check_sheet(args.report)
        check_apart(args.report, [args.photo, *map(Path, args.paths)])
    known, failures = featured.of(args, args.photo)
    wanted = os.path.realpath(args.photo)
    number = next((i for i, path in enumerate(known.paths) if os.path.realpath(path) == wanted), None)
    if number is None:
        raise next(
            (error for path, error in known.failed if os.path.realpath(path) == wanted),
            PictureError(args.photo, "cannot be read"),
        )
    values = directions(known.features)
    likeness = values @ values[number]
    order = [int(i) for i in (-likeness).argsort(kind="stable") if i != number][: args.top]
    for i in order:
        print(f"{likeness[i]:.4f}\t{in_line(str(known.paths[i]))}")
    if args.report is not None:
        tiles = [Tile(args.photo, str(args.photo), "this one", 1.0, found=True)]
        tiles += [Tile(known.paths[i], str(known.paths[i]), "", max(0.0, float(likeness[i]))) for i in order]
        contact_sheet(tiles, args.report, f"The {len(order):,} pictures most like {args.photo.name}")
        log(f"contact sheet: {args.report}")
    log(*failures.lines())
    return SOME_FAILED if failures.count else OK
