"""Arguments that several subcommands take, and their types."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from cnnfast.errors import ConfigError
from cnnfast.images.preprocess import DECODES, MODES
from cnnfast.runtime import shipped

MODEL = f"a shipped network ({', '.join(shipped.list_models())}), or a model file of any known format"
"""What may be named as a network."""

ROW_FORMATS = ("csv", "jsonl", "parquet", "megadetector", "camtrap-dp")
"""Formats of ``--out``, see `cnnfast.cli.rows_out`."""

LABELED = (
    "images with labels: one folder of pictures per class, a table (.csv, .parquet) of paths and labels, CIFAR-10, "
    "MNIST, or an .npz"
)
"""What may be named as something to learn from or to measure with."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    parser.add_argument(
        "--model",
        default=shipped.DEFAULT,
        metavar="NAME_OR_FILE",
        help=f"{MODEL} (default: %(default)s)",
    )


def add_preprocess(parser: argparse._ActionsContainer) -> None:
    """Add ``--preprocess`` and ``--decode``."""
    parser.add_argument(
        "--preprocess",
        choices=MODES,
        help="how a picture becomes the input of a network that does not specify it: raw (0 to 255), 1/255 (0 to "
        "1), tf (-1 to 1), or what preprocess_input of keras.applications calls torch and caffe",
    )
    parser.add_argument(
        "--decode",
        choices=DECODES,
        help="decode large JPEGs at a fraction of their size, or in full (default: as the network states)",
    )


def add_integers(parser: argparse._ActionsContainer) -> None:
    """Add ``--integers`` and ``--no-integers``."""
    parser.add_argument(
        "--integers",
        action=argparse.BooleanOptionalAction,
        help="run a quantized file of LiteRT or ONNX with its own integers, as it does where nothing is said, or in "
        "float",
    )


def add_labels(parser: argparse._ActionsContainer) -> None:
    """Add ``--labels``."""
    parser.add_argument(
        "--labels", metavar="A,B,…|FILE", help="the label of each output, for a model without; of a file, one per line"
    )


def add_unknown(parser: argparse.ArgumentParser) -> None:
    """Add ``--unknown``."""
    parser.add_argument(
        "--unknown",
        action="store_true",
        help="pictures less familiar than 95 %% of those that the network was calibrated with are called unknown",
    )


def add_threads(parser: argparse._ActionsContainer) -> None:
    """Add ``--threads``."""
    parser.add_argument("--threads", type=positive, metavar="N", help="threads that compute (see `cnnfast info`)")


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add ``--split``."""
    parser.add_argument(
        "--split", choices=("test", "train"), default="test", help="part of a data set that has both (default: test)"
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add ``--columns``."""
    parser.add_argument(
        "--columns",
        type=pair,
        metavar="PATH,LABEL",
        help="the columns of a table that have paths and labels, where they have unusual names",
    )


def add_max_pixels(parser: argparse._ActionsContainer) -> None:
    """Add ``--max-pixels``; `cnnfast.cli.main` applies it."""
    parser.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        help="read pictures of up to N pixels, as of microscopes (default: 89478485); larger ones are refused",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_batch(parser: argparse.ArgumentParser) -> None:
    """Add ``--batch``."""
    parser.add_argument("--batch", type=positive, metavar="N", help="images at a time; changes no result")


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add what ``find`` and ``classify`` have in common."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a picture, a folder (searched at any depth), or a data set (CIFAR-10 .bin, MNIST idx, .npy, .npz)",
    )
    parser.add_argument(
        "--files-from",
        metavar="FILE",
        help="read more PATHs from a file, one per line, or with zero bytes between them (find -print0); - is the "
        "standard input",
    )
    parser.add_argument(
        "--every", type=interval, metavar="TIME", help="look at videos too, at a frame for each TIME, as in 1s or 0.5s"
    )
    add_model(parser)
    add_preprocess(parser)
    add_integers(parser)
    add_labels(parser)
    parser.add_argument(
        "--thumbnails",
        action="store_true",
        help="look at the previews that cameras put into photographs, where they are large enough; it is said how "
        "often that changes a label",
    )
    shelf = parser.add_mutually_exclusive_group()
    shelf.add_argument(
        "--copy-to",
        type=Path,
        metavar="DIR",
        help="copy the pictures there, each in the folders that it comes from; nothing is overwritten",
    )
    shelf.add_argument("--link-to", type=Path, metavar="DIR", help="make symbolic links to the pictures there")
    shelf.add_argument("--move-to", type=Path, metavar="DIR", help="move the pictures there")
    parser.add_argument("--flat", action="store_true", help="put them there without the folders that they come from")
    parser.add_argument(
        "--unsure",
        type=probability,
        metavar="P",
        help="put what is not certain into a folder `unsure`: labels with no more than this probability; for `find` "
        "what is between P and --threshold",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write one row per image, as .csv, .jsonl, .parquet, or .json (that of MegaDetector, which Timelapse "
        "reads); - is the standard output",
    )
    parser.add_argument("--format", choices=ROW_FORMATS, help="of --out, where its suffix does not say it")
    parser.add_argument("--scores", action="store_true", help="add a column for the probability of each class")
    parser.add_argument("--exif", action="store_true", help="add when a picture was taken, and its folder below PATH")
    parser.add_argument(
        "--utc-offset", type=utc_offset, metavar="±HH:MM", help="of the cameras' clocks, for --format camtrap-dp; or Z"
    )
    parser.add_argument(
        "--taxa",
        type=Path,
        metavar="FILE",
        help="for --format camtrap-dp: a CSV file with the columns label, scientificName, observationType",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each picture")
    parser.add_argument("--quiet", action="store_true", help="print nothing but what went wrong")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run that wrote --out")
    existing.add_argument("--force", action="store_true", help="replace --out if it exists")
    parser.add_argument("--report", type=Path, metavar="FILE", help="draw a contact sheet, as .png or .html")
    parser.add_argument(
        "--review",
        type=Path,
        metavar="FILE",
        help="write a page (.html) to correct the results of --out, as `cnnfast review` does; --report links to it",
    )
    add_split(parser)
    add_max_pixels(parser)
    add_threads(parser)
    add_batch(parser)


def read_files_from(args: argparse.Namespace) -> None:
    """Add the paths that ``--files-from`` names to those of the command line.

    Raises
    ------
    ConfigError
        If there are none at all, or the file cannot be read.
    """
    args.listed = [] if args.files_from is None else _lines_of(args.files_from)
    args.paths += args.listed
    if not args.paths:
        named = "" if args.files_from is None else f", and {args.files_from} holds none"
        raise ConfigError(f"no PATH is named{named}; name pictures, folders of pictures, or data sets")


def _lines_of(name: str) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"--files-from {name}: cannot be read: {error.strerror or error}") from None
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [os.fsdecode(line) for line in lines if line]


def interval(text: str) -> float:
    """Parse a time between two frames, in seconds."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(s|min)?", text)
    number = 0.0 if found is None else float(found[1]) * (60 if found[2] == "min" else 1)
    if not 0.001 <= number <= 1e6:
        raise argparse.ArgumentTypeError(
            f"must be a time like 1s, 0.5s or 2min, of a millisecond or more, but is {text!r}"
        )
    return number


def utc_offset(text: str) -> str:
    """Parse an offset from UTC."""
    if text != "Z" and not re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"must be Z or like +01:00, but is {text!r}")
    return text


def positive(text: str) -> int:
    """Parse an integer from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer from 1 up, but is {text!r}")
    return int(text)


def pair(text: str) -> tuple[str, str]:
    """Parse two names with a comma between."""
    first, comma, second = text.partition(",")
    if not (first and comma and second):
        raise argparse.ArgumentTypeError(f"must be two names with a comma between, but is {text!r}")
    return first, second


def seconds(text: str) -> float:
    """Parse a time from 0 up."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 up, but is {text!r}")
    return number


def above_zero(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, but is {text!r}")
    return number


def points(text: str) -> float:
    """Parse a number of points of accuracy, from 0 to 100."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"must be a number of points from 0 to 100, but is {text!r}")
    return number


def probability(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, but is {text!r}")
    return number
