"""``cnnfast download NAME``: fetch a data set into the cache."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast.data.download import COLLECTIONS, download


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", choices=tuple(COLLECTIONS), help="the data set")
    parser.add_argument("--to", type=Path, metavar="DIR", help="keep it there (default: the cache, see `cnnfast info`)")
    parser.add_argument("--home", metavar="URL", help="another home with the same files")


def run(args: argparse.Namespace) -> int:
    """Fetch a data set and print its folder."""
    print(download(args.name, cache=args.to, base_url=args.home))
    return 0
