"""``cnnfast duplicates PATH…``: which pictures are there twice, byte for byte or nearly?"""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.cli import OK, SOME_FAILED, featured
from cnnfast.cli.export import check_apart
from cnnfast.cli.progress import log
from cnnfast.learn.alike import twins
from cnnfast.report.sheet import check_sheet, contact_sheet
from cnnfast.report.tile import Tile
from cnnfast.runtime.escapes import in_line

MAX_TILES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    featured.add_arguments(parser)
    parser.add_argument("--exact", action="store_true", help="only files with the same bytes")
    parser.add_argument("--report", type=Path, metavar="FILE", help="draw the groups, as .png or .html")


def run(args: argparse.Namespace) -> int:
    """Print each group of pictures that are the same, or nearly, with an empty line between groups."""
    if args.report is not None:
        check_sheet(args.report)
        check_apart(args.report, [Path(path) for path in args.paths])
    known, failures = featured.of(args)
    found = twins(known, only_exact=args.exact)
    blocks = []
    for one in found:
        kind, pairs = "exact" if one.exact else "near", zip(one.paths, one.likeness, strict=True)
        blocks.append("\n".join(f"{kind}\t{likeness:.3f}\t{in_line(str(path))}" for path, likeness in pairs))
    if blocks:
        print("\n\n".join(blocks))
    if args.report is not None:
        tiles = [
            Tile(path, str(path), f"{number}: {'exact' if one.exact else 'near'}", likeness)
            for number, one in enumerate(found, 1)
            for path, likeness in zip(one.paths, one.likeness, strict=True)
        ]
        shown = f"; the first {MAX_TILES} pictures are shown" if len(tiles) > MAX_TILES else ""
        contact_sheet(tiles[:MAX_TILES], args.report, f"{len(found):,} groups of duplicates{shown}")
        log(f"contact sheet: {args.report}{shown}")
    more = sum(len(one.paths) - 1 for one in found)
    exact = sum(one.exact for one in found)
    groups = f"{len(found):,} group{'s' * (len(found) != 1)}, {exact:,} exact"
    log(*failures.lines(), f"{len(known.paths):,} pictures: {more:,} duplicate another one ({groups})")
    return SOME_FAILED if failures.count else OK
