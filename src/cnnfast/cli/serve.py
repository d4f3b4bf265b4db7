"""``cnnfast serve MODEL…``: classify for other programs, and on a page of its own."""

from __future__ import annotations

import argparse
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.cli import OK, options
from cnnfast.cli.models import load
from cnnfast.cli.progress import log
from cnnfast.errors import ConfigError

if TYPE_CHECKING:
    from cnnfast.serve.served import ServedModels

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LARGEST_TOKEN = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="[NAME=]MODEL",
        help=f"{options.MODEL}; the first answers requests that name none, and a name is by default that of the file",
    )
    where = parser.add_argument_group("where")
    where.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s, this machine)")
    where.add_argument("--port", type=_port, default=8000, help="0 takes a free one (default: %(default)s)")
    where.add_argument("--token-file", type=Path, metavar="FILE", help="requests must state what is in this file")
    where.add_argument("--no-page", action="store_true", help="do not serve the page to drop pictures on")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--batch", type=options.positive, default=64, metavar="N", help="images computed together (64)")
    limits.add_argument("--waiting", type=options.positive, default=512, metavar="N", help="images that may wait (512)")
    limits.add_argument("--max-bytes", type=_bytes, default=_bytes("20M"), metavar="N", help="of a request (20M)")
    limits.add_argument("--timeout", type=options.above_zero, default=10.0, metavar="S", help="for a result (10)")
    limits.add_argument("--drain", type=options.seconds, default=10.0, metavar="S", help="to finish after SIGTERM (10)")
    options.add_max_pixels(limits)
    parser.add_argument(
        "--unsure",
        type=options.probability,
        default=0.6,
        metavar="P",
        help="mark answers whose highest probability is below P (default: %(default)s)",
    )
    options.add_preprocess(parser)
    options.add_integers(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    with needs("cnnfast serve", "cnnfast[serve]"):
        from cnnfast.serve.application import Application
        from cnnfast.serve.limits import Limits
        from cnnfast.serve.server import bound_socket, run
    token = None if args.token_file is None else read_token(args.token_file)
    named = dict(_named(text) for text in args.models)
    if len(named) < len(args.models):
        raise ConfigError("two models have the same name; NAME=MODEL sets another")
    with bound_socket(args.host, args.port) as listening:
        application = Application(
            {name: load(model, args) for name, model in named.items()},
            batch=args.batch,
            waiting=args.waiting,
            timeout=args.timeout,
            threads=args.threads,
            token=token,
            page=not args.no_page,
            unsure=args.unsure,
            limits=Limits(max_bytes=args.max_bytes),
        )
        host, port = listening.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        lines = [f"serving {', '.join(named)} at {address}", *_limited(application.models)]
        run(application, listening, args.drain, lambda: log(*lines))
    return OK


def _limited(models: ServedModels) -> Iterator[str]:
    """Yield a line for each model that answers less than others."""
    for name, batcher in models.batchers.items():
        if batcher.network.preprocess is None:
            yield (
                f"{name} takes values by the inference protocol, and no pictures: its file does not say how a picture "
                "becomes its input; --preprocess does"
            )


def read_token(path: Path) -> str:
    """Return what a token file holds.

    Raises
    ------
    ConfigError
        If it is not a small file of one line of ASCII.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ConfigError(f"{path}: the token must be in a file")
    with path.open("rb") as file:
        content = file.read(LARGEST_TOKEN + 1).strip()
    if not re.fullmatch(rb"[!-~]{8,}", content) or len(content) > LARGEST_TOKEN:
        raise ConfigError(f"{path}: a token has 8 to {LARGEST_TOKEN} visible characters of ASCII, and no spaces")
    return content.decode("ascii")


def _named(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if equals and re.fullmatch(r"[\w.-]+", name):
        return name, model
    return Path(text).name.split(".")[0] if Path(text).suffix else Path(text).name, text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, but is {text!r}")
    return int(text)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text)
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"must be a number of bytes such as 500K, 20M or 1G, but is {text!r}")
    return int(match[1]) * UNITS[match[2]]
