"""``cnnfast info``: what runs here, and who decided."""

from __future__ import annotations

import argparse
import json

from cnnfast.cli import options
from cnnfast.runtime.info import as_text, collect_info


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--peak", action="store_true", help="also measure the multiply-adds per second of one core")
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the facts."""
    facts = collect_info(args.peak)
    print(json.dumps(facts, indent=2) if args.json else as_text(facts))
    return 0
