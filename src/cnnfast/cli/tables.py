"""``cnnfast classify data.parquet --out labels.parquet``: tables of pictures become tables of labels."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from cnnfast.cli import INTERRUPTED, OK, SOME_FAILED
from cnnfast.cli.models import load
from cnnfast.cli.progress import Failures, log, speed_of
from cnnfast.cli.table_files import SUFFIXES, is_table
from cnnfast.cli.words import command_line
from cnnfast.errors import ConfigError
from cnnfast.runtime.threads import get_num_threads, threads_or_default

ENDINGS = " or ".join([", ".join(SUFFIXES[:-1]), SUFFIXES[-1]])

OWN = ("column", "keep", "probabilities", "features", "prefix")
"""Options that only tables have."""

FOR_FILES = (
    "thumbnails",
    "copy_to",
    "link_to",
    "move_to",
    "flat",
    "unsure",
    "report",
    "json",
    "files_from",
    "format",
    "scores",
    "exif",
    "taxa",
    "every",
)
"""Options that tables do not have."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of tables."""
    group = parser.add_argument_group(
        "tables", f"Where PATH is a table ({ENDINGS}, or a folder of them), --out is one too; see docs/arrow.md."
    )
    group.add_argument("--column", metavar="NAME", help="the column of pictures (default: the only one that fits)")
    group.add_argument(
        "--keep",
        action="append",
        metavar="NAME",
        help="a column that is passed through, once for each (default: all but the pictures)",
    )
    group.add_argument("--probabilities", action="store_true", help="add the probability of each class")
    group.add_argument("--features", action="store_true", help="add what the last dense layer reads")
    group.add_argument("--prefix", metavar="TEXT", help="of the names of the columns of results")


def named_in(paths: Sequence[str]) -> bool:
    """Return whether all paths are tables.

    Raises
    ------
    ConfigError
        If only some of them are.
    """
    found = [path for path in paths if is_table(Path(path))]
    if found and len(found) < len(paths):
        raise ConfigError(f"{found[0]} is a table, but not all of the paths are; classify tables and pictures apart")
    return bool(found)


def refuse_options(args: argparse.Namespace) -> None:
    """Raise `ConfigError` if pictures are to be classified with options of tables."""
    _refuse(args, OWN, f"is for tables ({ENDINGS}), and the paths are of pictures")
    if args.out is not None and args.out.suffix.lower() in SUFFIXES[1:]:
        raise ConfigError(
            f"{args.out}: such a table is made of a table; write the rows of pictures as .parquet or .csv"
        )


def _refuse(args: argparse.Namespace, names: Sequence[str], why: str) -> None:
    for name in names:
        if getattr(args, name):
            raise ConfigError(f"--{name.replace('_', '-')} {why}")


def run(args: argparse.Namespace) -> int:
    """Classify tables."""
    from cnnfast.arrow import classify_dataset

    _refuse(args, FOR_FILES, "is for files of pictures, and the paths are of tables")
    if args.split != "test":
        raise ConfigError("--split is for data sets of images, and the paths are of tables; name the files of one part")
    if args.out is None:
        raise ConfigError(f"what is in a table is written to another; name it with --out FILE, which ends in {ENDINGS}")
    start = time.perf_counter()
    with threads_or_default(args.threads):
        try:
            done = classify_dataset(
                args.paths,
                load(args.model, args),
                args.out,
                column=args.column,
                keep=args.keep,
                top=args.top,
                probabilities=args.probabilities,
                features=args.features,
                prefix=args.prefix or "",
                threads=get_num_threads(),
                batch=args.batch,
                resume=args.resume,
                force=args.force,
            )
        except KeyboardInterrupt:
            return _interrupted(args)
    speed = speed_of(done.rows - done.resumed, time.perf_counter() - start)
    failures = Failures()
    for row, reason in done.failures:
        failures.add(f"row {row}", reason)
    failures.count = done.errors
    log(*failures.lines())
    shares = ", ".join(f"{label} {count:,}" for label, count in list(done.labels.items())[:10])
    unreadable = f"; {done.errors:,} unreadable" if done.errors else ""
    log(f"{done.rows - done.errors:,} classified{f': {shares}' if shares else ''}{speed}{unreadable}")
    return SOME_FAILED if done.errors else OK


def _interrupted(args: argparse.Namespace) -> int:
    words = [word for word in args.words if word not in ("--resume", "--force")]
    again = command_line(["cnnfast", words[0], "--resume", *words[1:]])
    log(f"cnnfast: interrupted; what is finished is in {args.out}.parts; continue with:", f"  {again}")
    return INTERRUPTED
